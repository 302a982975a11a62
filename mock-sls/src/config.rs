//! What a server needs to know before it starts. Built by [`crate::cli`] from arguments and
//! by tests in code; [`crate::MockSls::start`] takes it as is.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sls_api::sign::{AccessKey, CLOCK_WINDOW, Secret};

use crate::clock::Clock;
use crate::console::Settings as ConsoleSettings;
use crate::query::sql::Settings as SqlSettings;
use crate::quotas::Quotas;
use crate::{DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, DEFAULT_ACCOUNT_ID};

/// Region that the server says it stands in, unless told otherwise.
pub const DEFAULT_REGION: &str = "cn-hangzhou";

/// Everything [`crate::MockSls::start`] wants to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether and where to listen for TLS; without it `CONNECT` is refused as well.
    pub tls: Option<Tls>,
    /// Where the database lies.
    pub data: Data,
    /// Who may call; the first one is the owner of what is made while nobody is checked.
    pub accounts: Vec<Account>,
    /// How strictly signatures are checked.
    pub auth: Auth,
    /// How far a signed request's time may be from the clock, either way; 15 minutes as in the
    /// service, unless told otherwise.
    pub clock_window: SignedDuration,
    /// Region shown in project objects and handed to agents, and the one that version 4
    /// signatures must name under [`Auth::Strict`].
    pub region: String,
    /// `host:port` that agents are told to send logs to; by default the one under which they
    /// asked for their configs.
    pub advertise: Option<String>,
    /// Further host names of this server, without port. `project.<name>` then addresses a
    /// project and `<name>` alone none.
    pub endpoint_hosts: Vec<String>,
    /// How much may be written in a second.
    pub write_quotas: WriteQuotas,
    /// What time it is.
    pub clock: Clock,
    /// Zone in which SQL takes and shows times, and where it finds IP addresses.
    pub sql: SqlSettings,
    /// Whether logs older than 7 days or more than 15 minutes ahead are refused, as documented.
    /// Off by default, so that logs of any day can be used in tests.
    pub check_log_time: bool,
    /// How many resources there may be.
    pub quotas: Quotas,
    /// How much clients may ask of the server at once.
    pub limits: Limits,
    /// Whether and where the console is served; not, unless told so.
    pub console: Option<ConsoleSettings>,
}

impl Default for Config {
    /// A free loopback port, a temporary database, strict signatures and the documented
    /// key pair.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            data: Data::Temp,
            accounts: vec![Account {
                uid: DEFAULT_ACCOUNT_ID.to_owned(),
                keys: vec![AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET).into()],
            }],
            auth: Auth::Strict,
            clock_window: CLOCK_WINDOW,
            region: DEFAULT_REGION.to_owned(),
            advertise: None,
            endpoint_hosts: Vec::new(),
            write_quotas: WriteQuotas::default(),
            clock: Clock::System,
            sql: SqlSettings::default(),
            check_log_time: false,
            quotas: Quotas::default(),
            limits: Limits::default(),
            console: None,
        }
    }
}

/// How much clients may ask of the server at once. Tests set less to reach the limits soon.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections. For each further one, that which waits for its client longest is
    /// closed.
    pub connections: usize,
    /// How long a request's header may take to arrive, and a connection may be idle before it.
    pub header_time: Duration,
    /// How long a request's body may take to arrive.
    pub body_time: Duration,
}

impl Default for Limits {
    /// 900 connections, below the usual limit of open files; 120 s for a header, above the time
    /// after which clients drop an unused connection themselves; 30 s for a body. Own choices.
    fn default() -> Self {
        Self { connections: 900, header_time: Duration::from_secs(120), body_time: Duration::from_secs(30) }
    }
}

/// Where the database lies.
#[derive(Debug, Clone)]
pub enum Data {
    /// A temporary folder, removed when the server stops.
    Temp,
    /// This folder, made if it does not exist; a later start finds everything again.
    Dir(PathBuf),
}

/// How to serve TLS. The certificate authority is the server's own: it signs a certificate for
/// whatever host name a client asks for, and nobody trusts it who is not told to.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// File that the authority's certificate is written to, in PEM, for clients to trust. Its
    /// key lies beside it under the same name with `.key` added, and both are used again by a
    /// later start. Without it the authority is a new one at each start.
    pub ca: Option<PathBuf>,
}

/// One Alibaba Cloud account with its access keys.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account id, a decimal number.
    pub uid: String,
    /// Its key pairs.
    pub keys: Vec<Key>,
}

/// A key pair with what it may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Id and secret.
    pub pair: AccessKey,
    /// What its bearer may do.
    pub rights: Rights,
    /// Makes the key a temporary one (STS): requests must bring this token.
    pub token: Option<Secret>,
    /// From when on the key is no longer accepted.
    pub expires: Option<Timestamp>,
    /// Whether the key is switched off.
    pub disabled: bool,
}

impl From<AccessKey> for Key {
    /// A key that may do everything, for ever.
    fn from(pair: AccessKey) -> Self {
        Self { pair, rights: Rights::Full, token: None, expires: None, disabled: false }
    }
}

/// What the bearer of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rights {
    /// Everything.
    #[default]
    Full,
    /// Only operations whose names begin with Get, List, Pull or Describe, as a RAM user with
    /// the policy `AliyunLogReadOnlyAccess` (`log:Get*`, `log:List*`, `log:Query*`).
    ReadOnly,
}

/// How strictly signatures are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not at all. A request with a known key id acts for that key's account, every other
    /// one for the first account.
    Off,
    /// Signature, clock and body digests are checked; any region is accepted in a version 4
    /// signature.
    Lenient,
    /// As lenient, and a version 4 signature must name this server's region, and a version 1
    /// request must say which API and which method of signing it uses.
    Strict,
}

/// How many bytes of logs, before compression, may be written in a second. Without a number
/// there is no limit; the service's own are 5 MB/s for a shard and differ between projects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteQuotas {
    /// To one shard, bytes per second.
    pub shard_bytes_per_s: Option<u64>,
    /// To one project, bytes per second.
    pub project_bytes_per_s: Option<u64>,
}
