//! The engine as control sees it, and the clients that the engine asks for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use sls_api::sign::AccessKey;
use sls_client::{Authorities, Client, ClientConfig, Proxies};

use crate::app_info;
use crate::control::Collect;
use crate::engine::books::Account;
use crate::engine::status::Board;
use crate::engine::{DrainReport, Engine, EngineConfig, EngineError, Limits, View};
use crate::env::Env;
use crate::identity::{GroupIds, Host, Instance};
use crate::instance_config::{DiagnosticLogs, InstanceConfig};
use crate::layout::{Layout, StateDir};
use crate::pipeline::{Destination, Pipeline};
use crate::ship::Clients;

/// The data half, started.
pub struct Data {
    engine: Engine,
    clients: Arc<EndpointClients>,
}

/// What is told about the end, on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Everything was read and acknowledged, and nobody can write more.
    pub complete: bool,
    /// By an account that somebody gave; else nothing is known.
    #[serde(skip)]
    pub is_known: bool,
    pub logs_sent: u64,
    pub logs_unacknowledged: u64,
    pub bytes_unread: u64,
    /// Files that a program still had open.
    pub still_written: Vec<String>,
    #[serde(flatten)]
    pub account: Account,
}

impl Drained {
    /// Is nothing left behind of what was written so far?
    pub fn is_delivered(&self) -> bool {
        self.complete || (self.is_known && self.logs_unacknowledged == 0 && self.bytes_unread == 0)
    }
}

impl From<DrainReport> for Drained {
    fn from(report: DrainReport) -> Self {
        Self {
            complete: report.is_complete,
            is_known: report.is_known,
            logs_sent: report.account.lines.sent,
            logs_unacknowledged: report.account.lines.unacknowledged,
            bytes_unread: report.account.bytes.unread,
            still_written: report.still_written.iter().map(|path| path.display().to_string()).collect(),
            account: report.account,
        }
    }
}

impl Data {
    /// Starts the engine; it has nothing to collect yet.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        env: &Env,
        layout: &Layout,
        instance: &InstanceConfig,
        state_dir: &StateDir,
        host: &Host,
        identity: &Instance,
        file_tags: &[(String, String)],
    ) -> Result<Self, EngineError> {
        let ids: Vec<String> = GroupIds::read(env, layout).user_defined_ids.into_iter().collect();
        let config = EngineConfig {
            state_dir: state_dir.path.clone(),
            root: layout.prefix().map(ToOwned::to_owned),
            source_ip: host.ip.to_string(),
            hostname: host.hostname.clone(),
            user_defined_id: ids.join(","),
            env_tags: env.env_tags(),
            file_tags: file_tags.to_vec(),
            machine_uuid: identity.uuid.clone(),
            limits: limits(instance),
        };
        let clients = Arc::new(EndpointClients {
            access_key: instance.access_key.clone(),
            config_path: instance.path.display().to_string(),
            user_agent: user_agent(env, host),
            proxies: instance.proxies.clone(),
            authorities: instance.authorities.as_ref().map(|path| (layout.on_disk(path), path.clone())),
            by_endpoint: Mutex::default(),
        });
        let of_engine = Arc::clone(&clients);
        let engine = Engine::start(config, move |destination: &Destination| of_engine.client(destination))?;
        Ok(Self { engine, clients })
    }

    /// For the end of the pod: everything that is still written is delivered too, until `deadline`.
    pub async fn drain(&self, deadline: Instant) -> Drained {
        self.engine.drain(deadline).await.into()
    }

    /// For the end of the application: whoever still writes is waited for until `writers_until`.
    pub async fn finish(&self, writers_until: Instant, deadline: Instant) -> Drained {
        self.engine.finish(writers_until, deadline).await.into()
    }

    /// Other tags of the file that ALIYUN_LOG_FILE_TAGS names.
    pub fn set_file_tags(&self, tags: Vec<(String, String)>) {
        self.engine.set_file_tags(tags);
    }

    /// For who asks the engine beside the owner of this.
    pub fn view(&self) -> View {
        self.engine.view()
    }

    /// What talks to the data endpoints; connections are shared.
    pub fn clients(&self) -> Arc<dyn Clients> {
        Arc::<EndpointClients>::clone(&self.clients)
    }

    /// Returns when the first config collects.
    pub async fn ready(&self) {
        self.engine.ready().await;
    }

    /// Returns when the application seems to have done its work.
    pub async fn idle(&self, quiet: Duration) {
        self.engine.idle(quiet).await;
    }

    /// For the end of this process alone: a successor goes on.
    pub async fn hand_over(&self, deadline: Instant) -> Drained {
        self.engine.stop(deadline).await.into()
    }
}

impl Collect for Data {
    fn apply(&self, pipelines: Vec<Pipeline>) {
        self.engine.apply(pipelines);
    }

    fn troubles(&self) -> BTreeMap<String, String> {
        let running = self.engine.status().pipelines.into_iter();
        running.filter_map(|pipeline| Some((pipeline.name, pipeline.last_error?))).collect()
    }

    fn reading(&self) -> BTreeSet<String> {
        let running = self.engine.status().pipelines.into_iter();
        running.filter(|pipeline| pipeline.bytes_read > 0).map(|pipeline| pipeline.name).collect()
    }

    fn board(&self) -> Arc<Board> {
        self.engine.board()
    }
}

/// Threads for which the block that is read at once grows: to 1 MiB. Source: own choice, for the sake of memory.
const BLOCK_SHARES_MAX: usize = 4;

/// What the start parameters say of the engine.
fn limits(instance: &InstanceConfig) -> Limits {
    let usual = Limits::default();
    let reading = &instance.reading;
    let threads = reading.threads.unwrap_or(usual.threads);
    Limits {
        lane_concurrency: instance.send_concurrency.unwrap_or(usual.lane_concurrency),
        linger: instance.send_interval.unwrap_or(usual.linger),
        group_text_bytes_max: instance.request_bytes.unwrap_or(usual.group_text_bytes_max),
        threads,
        // As much for each thread, up to a limit.
        block_bytes: usual.block_bytes * threads.min(BLOCK_SHARES_MAX),
        read_bytes_per_second: reading.bytes_per_second,
        discard_older_than: reading.discard_older_than,
        event_bytes_max: reading.event_bytes_max.unwrap_or(usual.event_bytes_max),
        log_volume_bytes: instance.log_volume.size_limit,
        unlinks_collected: instance.log_volume.unlinks_collected,
        keeps_profiles: instance.diagnostic_logs != DiagnosticLogs::Never,
        ..usual
    }
}

/// One client for each data endpoint, so that destinations share its connections.
struct EndpointClients {
    access_key: Option<AccessKey>,
    config_path: String,
    user_agent: String,
    proxies: Proxies,
    /// Where the file of the certificate authorities is, and its path in the container.
    authorities: Option<(PathBuf, PathBuf)>,
    by_endpoint: Mutex<HashMap<String, Client>>,
}

impl Clients for EndpointClients {
    fn client(&self, destination: &Destination) -> Result<Client, String> {
        let endpoint = destination.endpoint.as_deref().unwrap_or_default();
        let mut known = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(endpoint) {
            return Ok(client.clone());
        }
        let access_key = self.access_key.clone().ok_or_else(|| {
            format!(
                "no access key: set default_access_key_id and default_access_key in {} or in the environment, \
                 and restart the collector",
                self.config_path
            )
        })?;
        let parsed = endpoint.parse().map_err(|error: sls_client::EndpointError| error.to_string())?;
        let mut config = ClientConfig::new(parsed, access_key);
        config.user_agent.clone_from(&self.user_agent);
        config.proxies = self.proxies.clone();
        config.authorities = self.authorities()?;
        let client = Client::new(config).map_err(|error| format!("{error}, in {}", self.config_path))?;
        known.insert(endpoint.to_owned(), client.clone());
        Ok(client)
    }
}

impl EndpointClients {
    /// Read for each endpoint: the file may come later than the collector.
    fn authorities(&self) -> Result<Option<Authorities>, String> {
        let Some((path, shown)) = &self.authorities else { return Ok(None) };
        let unusable = |problem: &dyn std::fmt::Display| {
            format!(
                "the file {} that SSL_CERT_FILE names {problem}; it must hold the authorities' certificates in PEM form",
                shown.display()
            )
        };
        let pem = std::fs::read(path).map_err(|error| unusable(&format_args!("cannot be read ({error})")))?;
        Authorities::from_pem(&pem).map(Some).map_err(|problem| unusable(&problem))
    }
}

/// Form and environment labels as the vendor's agent sends them (collector.md §1.4).
fn user_agent(env: &Env, host: &Host) -> String {
    let environment = if env.get("KUBERNETES_SERVICE_HOST").is_some() { "K8S-Sidecar" } else { "Host" };
    format!("ilogtail/{} ({}) ip/{} env/{environment}", app_info::VERSION, std::env::consts::OS, host.ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn clients(access_key: Option<AccessKey>) -> EndpointClients {
        EndpointClients {
            access_key,
            config_path: "/c.json".into(),
            user_agent: "ilogtail/1".into(),
            proxies: Proxies::default(),
            authorities: None,
            by_endpoint: Mutex::default(),
        }
    }

    #[test]
    fn start_parameters_reach_the_engine() {
        let file =
            br#"{"send_request_concurrency": 9, "batch_send_interval": 7, "batch_send_metric_size": 65536,
            "max_read_buffer_size": 4096, "max_bytes_per_sec": 2048, "discard_old_data": true,
            "process_thread_count": 3}"#;
        let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
        let made = limits(&InstanceConfig::parse(path, Some(file), &Env::default()).unwrap());
        let plain = limits(&InstanceConfig::parse(path, None, &Env::default()).unwrap());
        let wanted = Limits {
            lane_concurrency: 9,
            threads: 3,
            block_bytes: 3 * 256 * 1024,
            linger: Duration::from_secs(7),
            group_text_bytes_max: 65_536,
            event_bytes_max: 4_096,
            read_bytes_per_second: std::num::NonZeroU64::new(2_048),
            discard_older_than: Some(Duration::from_secs(43_200)),
            ..plain.clone()
        };
        assert_eq!(made, wanted);
        let usual = Limits::default();
        assert_eq!((plain.linger, plain.group_text_bytes_max), (usual.linger, usual.group_text_bytes_max));
    }

    fn destination() -> Destination {
        let config = crate::instance_config::InstanceConfig::parse(
            Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json"),
            None,
            &Env::default(),
        );
        let json = br#"{"inputs":[{"Type":"input_file","FilePaths":["/l/a"]}],
            "flushers":[{"Type":"flusher_sls","Project":"project","Logstore":"store","Endpoint":"127.0.0.1:1"}]}"#;
        let accepted = crate::pipeline_json::parse("c", 1, json, &config.unwrap()).unwrap();
        accepted.pipeline.unwrap().destination
    }

    #[test]
    fn without_an_access_key_the_remedy_is_named() {
        let error = clients(None).client(&destination()).unwrap_err();
        assert!(error.contains("set default_access_key_id and default_access_key in /c.json"), "{error}");
    }

    #[tokio::test]
    async fn a_file_of_authorities_is_waited_for_and_must_hold_one() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("ca.pem");
        let mut clients = clients(Some(AccessKey::new("id", "secret")));
        clients.authorities = Some((real.clone(), "/etc/ca.pem".into()));
        let error = clients.client(&destination()).unwrap_err();
        assert!(error.starts_with("the file /etc/ca.pem that SSL_CERT_FILE names cannot be read"), "{error}");
        std::fs::write(&real, "nothing").unwrap();
        let error = clients.client(&destination()).unwrap_err();
        assert!(error.contains("SSL_CERT_FILE names holds no certificate in PEM form"), "{error}");
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&real, authority.self_signed(&key).unwrap().pem()).unwrap();
        clients.client(&destination()).unwrap();
    }

    #[tokio::test]
    async fn a_key_gives_a_client() {
        clients(Some(AccessKey::new("id", "secret"))).client(&destination()).unwrap();
    }

    #[test]
    fn everything_is_delivered_if_only_writers_remain() {
        let report =
            DrainReport { is_known: true, still_written: vec!["/l/a".into()], ..DrainReport::default() };
        assert!(Drained::from(report.clone()).is_delivered());
        let mut unread = report.clone();
        unread.account.bytes.unread = 1;
        assert!(!Drained::from(unread).is_delivered());
        let mut unacknowledged = report;
        unacknowledged.account.lines.unacknowledged = 1;
        assert!(!Drained::from(unacknowledged).is_delivered());
        assert!(!Drained::from(DrainReport::default()).is_delivered(), "the account of a reader that died");
    }
}
