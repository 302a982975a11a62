//! What a server needs to know before it starts. Built by [`crate::cli`] from arguments and
//! by tests in code; [`crate::MockSls::start`] takes it as is.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use sls_api::sign::AccessKey;

use crate::clock::Clock;
use crate::{DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, DEFAULT_ACCOUNT_ID};

/// Region that the server says it stands in, unless told otherwise.
pub const DEFAULT_REGION: &str = "cn-hangzhou";

/// Everything [`crate::MockSls::start`] wants to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the database lies.
    pub data: Data,
    /// Who may call; the first one is the owner of what is made while nobody is checked.
    pub accounts: Vec<Account>,
    /// How strictly signatures are checked.
    pub auth: Auth,
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
}

impl Default for Config {
    /// A free loopback port, a temporary database, strict signatures and the documented
    /// key pair.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: Data::Temp,
            accounts: vec![Account {
                uid: DEFAULT_ACCOUNT_ID.to_owned(),
                keys: vec![AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET)],
            }],
            auth: Auth::Strict,
            region: DEFAULT_REGION.to_owned(),
            advertise: None,
            endpoint_hosts: Vec::new(),
            write_quotas: WriteQuotas::default(),
            clock: Clock::System,
        }
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

/// One Alibaba Cloud account with its access keys.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account id, a decimal number.
    pub uid: String,
    /// Its key pairs.
    pub keys: Vec<AccessKey>,
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
    /// As lenient, and a version 4 signature must name this server's region.
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
