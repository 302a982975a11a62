//! `ilogtail_config.json`: raw → validated, with the environment's parameters on top.
//!
//! Only what makes collecting impossible is an error; any other mistake is a notice that names the
//! key and what is done instead. A file that does not exist is derived from its own path, as the
//! vendor's agent does. Pure: bytes and environment in. Called by `service`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use sls_api::sign::AccessKey;
use sls_client::Proxies;

use crate::env::Env;
use crate::env_refs::EnvRefs;
use crate::json_file::{self, NotJson};
use crate::region::{self, Network, Place, UnknownRegion};

mod address;
mod catalog;
mod diagnostic_logs;
mod keys;
mod life;
mod proxies;
mod reading;
mod variables;
mod volume;

pub use address::{HostPort, InvalidAddress, Protocol};
pub use diagnostic_logs::DiagnosticLogs;
use keys::Parameters;
pub use life::Life;
pub use reading::Reading;
pub use sls_pipeline::pipeline_json::kind;
pub use volume::LogVolume;

/// Default and bounds of `heartbeat_interval`. Source: collector.md §5.3; bounds: own choice.
pub const HEARTBEAT_INTERVAL_DEFAULT: Duration = Duration::from_secs(10);
const HEARTBEAT_INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 1..=3600;

/// Default of `exit_flushout_duration`: how long a stop drains. Source: collector.md §1.3 (20 s); it
/// fits the kubelet's default grace of 30 s.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(20);
const GRACE_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;

/// Bounds of the sender's parameters. Source: collector.md §1.6 for the keys; bounds: own choice.
const SEND_CONCURRENCY: std::ops::RangeInclusive<u64> = 1..=256;
const SEND_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
/// Four times as many encoded bytes, and an event on top, must stay below the 10 MB that PutLogs takes.
const REQUEST_BYTES: std::ops::RangeInclusive<u64> = 4_096..=1_048_576;

/// Keys of the directory of read positions. The vendor's agent has a file there, named by the latter two.
const CHECK_POINT_PATHS: [&str; 3] = ["check_point_path", "check_point_filename", "check_point_file_path"];

/// Longest config file, in bytes. Source: own choice; real ones have a few hundred bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The start parameters.
#[derive(Debug, Clone)]
pub struct InstanceConfig {
    /// The file's path as the container sees it.
    pub path: PathBuf,
    pub origin: Origin,
    /// Region and network, from `primary_region` or the path.
    pub place: Option<Place>,
    /// Config servers in the order to try them; empty when the config names none.
    pub config_servers: Vec<HostPort>,
    /// What they speak.
    pub protocol: Protocol,
    /// Data endpoints by region.
    pub data_servers: BTreeMap<String, Vec<String>>,
    pub access_key: Option<AccessKey>,
    pub heartbeat_interval: Duration,
    pub working_ip: Option<IpAddr>,
    /// The network interface whose address is meant where `working_ip` is not set.
    pub bind_interface: Option<String>,
    pub working_hostname: Option<String>,
    pub check_point_path: Option<PathBuf>,
    /// A directory on a volume of the pod, used when `check_point_path` is not set. Ours.
    pub shared_state_path: Option<PathBuf>,
    /// Further tags of the agent (`ilogtail_tags`); they take part in group matching on the server.
    pub agent_tags: BTreeMap<String, String>,
    /// How long a stop drains.
    pub grace: Duration,
    /// How the end is found and told.
    pub life: Life,
    /// How files are read.
    pub reading: Reading,
    pub log_volume: LogVolume,
    /// Whether the service is told of the collector itself.
    pub diagnostic_logs: DiagnosticLogs,
    /// Requests in flight to the data endpoint.
    pub send_concurrency: Option<usize>,
    /// How long a log waits for company while the link is busy.
    pub send_interval: Option<Duration>,
    /// Bytes of text after which a request is full.
    pub request_bytes: Option<usize>,
    /// Configs may refer to variables of the environment.
    pub env_refs: Option<EnvRefs>,
    /// Names of the tags that the environment gives every log (`ALIYUN_LOG_ENV_TAGS`).
    pub env_tags: Vec<String>,
    /// The file of further tags, whose names are not known here (`ALIYUN_LOG_FILE_TAGS`).
    pub file_tags: Option<PathBuf>,
    /// Proxies of all connections.
    pub proxies: Proxies,
    /// The file of the certificate authorities that are trusted in the place of the public ones.
    pub authorities: Option<PathBuf>,
    /// What the user should know; each text names the key and the remedy.
    pub notices: Vec<String>,
}

/// Where the parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    File,
    /// There is no file; region and network come from the directory's name.
    Path,
}

/// Why the collector cannot start with this config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "config file {} is not JSON: {reason} at line {line}, column {column}; correct the file, \
         or remove it to use the region that its path names", .path.display()
    )]
    NotJson { path: PathBuf, line: usize, column: usize, reason: String },
    #[error("config file {} must hold a JSON object, not {found}", .path.display())]
    NotAnObject { path: PathBuf, found: &'static str },
    #[error("config file {} cannot be read ({source}); make it readable for this user", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("config file {} has more than {FILE_BYTES_MAX} bytes; ALIYUN_LOGTAIL_CONFIG names the wrong file", .path.display())]
    TooLarge { path: PathBuf },
    #[error("config file {} does not exist and {unknown}", .path.display())]
    UnknownRegion { path: PathBuf, unknown: UnknownRegion },
    #[error(
        "config file {} does not exist and its path names no region; set ALIYUN_LOGTAIL_CONFIG to \
         /etc/ilogtail/conf/<region>[-internet]/ilogtail_config.json", .path.display()
    )]
    NoRegion { path: PathBuf },
}

impl InstanceConfig {
    /// Validates the file's content (`None`: there is no such file).
    ///
    /// # Errors
    /// [`ConfigError`] when there is nothing to start with.
    pub fn parse(path: &Path, content: Option<&[u8]>, env: &Env) -> Result<Self, ConfigError> {
        let place = Place::of_config_path(path);
        let (object, origin) = match content {
            Some(bytes) => (parse_object(path, bytes)?, Origin::File),
            None => {
                check_derivable(path, place.as_ref())?;
                (Map::new(), Origin::Path)
            }
        };
        let mut parameters = Parameters::new(object, env);
        let (config_servers, protocol) = address::config_servers_and_protocol(&mut parameters);
        let mut config = Self {
            path: path.to_owned(),
            origin,
            place: choose_place(&mut parameters, place),
            config_servers,
            protocol,
            data_servers: address::data_servers(&mut parameters),
            access_key: access_key(&mut parameters),
            heartbeat_interval: parameters
                .number("heartbeat_interval", HEARTBEAT_INTERVAL_SECONDS)
                .map_or(HEARTBEAT_INTERVAL_DEFAULT, Duration::from_secs),
            working_ip: parameters.parsed("working_ip", "an IP address"),
            bind_interface: parameters.text("bind_interface"),
            working_hostname: parameters.text("working_hostname"),
            check_point_path: CHECK_POINT_PATHS
                .iter()
                .find_map(|key| parameters.text(key))
                .map(PathBuf::from),
            shared_state_path: parameters.text("shared_state_path").map(PathBuf::from),
            agent_tags: parameters.text_map("ilogtail_tags"),
            grace: parameters
                .number("exit_flushout_duration", GRACE_MS)
                .map_or(GRACE_DEFAULT, Duration::from_millis),
            life: Life::read(&mut parameters, env),
            reading: Reading::read(&mut parameters),
            log_volume: LogVolume::read(&mut parameters),
            diagnostic_logs: DiagnosticLogs::read(&mut parameters),
            send_concurrency: parameters
                .number("send_request_concurrency", SEND_CONCURRENCY)
                .and_then(|n| usize::try_from(n).ok()),
            send_interval: parameters.number("batch_send_interval", SEND_SECONDS).map(Duration::from_secs),
            request_bytes: parameters
                .number("batch_send_metric_size", REQUEST_BYTES)
                .and_then(|bytes| usize::try_from(bytes).ok()),
            env_refs: parameters.switch("enable_env_ref_in_config").then(|| EnvRefs::new(env.clone())),
            env_tags: env.env_tags().into_iter().map(|(name, _)| name).collect(),
            file_tags: env.file_tags(),
            proxies: Proxies::default(),
            authorities: env.authorities(),
            notices: Vec::new(),
        };
        config.notices = parameters.into_notices();
        config.proxies = proxies::read(env, &mut config.notices);
        config.notices.extend(variables::notices(env));
        config.add_own_notices();
        Ok(config)
    }

    /// The data endpoints to use for a region, the first being preferred: `data_servers` of the
    /// file, else what the collection config names, else the service's own.
    ///
    /// # Errors
    /// When none of the three gives one.
    pub fn data_endpoint(&self, region: &str, named: Option<&str>) -> Result<String, UnknownRegion> {
        if let Some(endpoint) = self.data_servers.get(region).and_then(|list| list.first()) {
            return Ok(endpoint.clone());
        }
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return Ok(named.to_owned());
        }
        region::derived_endpoint(region, self.network())
    }

    fn network(&self) -> Network {
        self.place.as_ref().map_or(Network::Internet, |place| place.network)
    }

    fn add_own_notices(&mut self) {
        let path = self.path.display();
        if self.origin == Origin::Path {
            let place = self.place.as_ref().map(ToString::to_string).unwrap_or_default();
            self.notices.push(format!(
                "config file {path} does not exist; its path means {place}, and nothing else is configured"
            ));
        }
        if let Some(place) = &self.place
            && !self.data_servers.contains_key(&place.region)
            && let Err(unknown) = region::check(&place.region)
        {
            self.notices.push(unknown.to_string());
        }
        if self.access_key.is_none() {
            self.notices.push(format!(
                "no access key: logs cannot be signed; set default_access_key_id and default_access_key in {path} \
                 or in the environment"
            ));
        }
    }
}

fn parse_object(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, ConfigError> {
    let value = json_file::parse(bytes).map_err(|NotJson { line, column, reason }| ConfigError::NotJson {
        path: path.to_owned(),
        line,
        column,
        reason,
    })?;
    match value {
        Value::Object(object) => Ok(object),
        other => Err(ConfigError::NotAnObject { path: path.to_owned(), found: kind(&other) }),
    }
}

/// Without a file everything hangs on the region: it must be one whose endpoint is known.
fn check_derivable(path: &Path, place: Option<&Place>) -> Result<(), ConfigError> {
    let place = place.ok_or_else(|| ConfigError::NoRegion { path: path.to_owned() })?;
    region::check(&place.region)
        .map_err(|unknown| ConfigError::UnknownRegion { path: path.to_owned(), unknown })
}

fn choose_place(parameters: &mut Parameters<'_>, of_path: Option<Place>) -> Option<Place> {
    let Some(region) = parameters.text("primary_region") else { return of_path };
    let network = of_path.as_ref().map_or(Network::Internet, |place| place.network);
    if let Some(of_path) = of_path.filter(|place| place.region != region) {
        parameters.notice(format!(
            "primary_region is {region}, the path of the config file says {}; using {region}",
            of_path.region
        ));
    }
    Some(Place { region, network })
}

fn access_key(parameters: &mut Parameters<'_>) -> Option<AccessKey> {
    let id = parameters.text("default_access_key_id");
    let secret = parameters.secret("default_access_key");
    match (id, secret) {
        (Some(id), Some(secret)) => Some(AccessKey { id, secret }),
        (None, None) => None,
        (id, _) => {
            let missing = if id.is_none() { "default_access_key_id" } else { "default_access_key" };
            parameters
                .notice(format!("{missing} is missing: an access key needs both its id and its secret"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
