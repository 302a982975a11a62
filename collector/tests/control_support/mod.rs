//! A collector as its own process below a path prefix, and a config server that tests script.
//! Each test binary uses a part of it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use collector::layout::Presence;
use prost::Message;
use sls_api::agent::{
    ConfigDetail, ConfigStatus, FetchConfigRequest, FetchConfigResponse, HeartbeatRequest, HeartbeatResponse,
};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine; only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(10);

/// Polls until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + HANG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(POLL);
    }
}

/// The file system of one container, below a prefix.
pub struct Container {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

pub const CONFIG: &str = "/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json";

impl Container {
    /// As the document sets it up, with ids that fit each other.
    pub fn new() -> Self {
        let mut this = Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new() };
        this.set("ALIYUN_LOGTAIL_CONFIG", CONFIG);
        this.set("ALIYUN_LOGTAIL_USER_ID", "1234567890123456");
        this.set("ALIYUN_LOGTAIL_USER_DEFINED_ID", "nginx-log-sidecar");
        this.set("HOSTNAME", "pod-1");
        this.set("_pod_ip_", "127.0.0.9");
        let prefix = this.dir.path().display().to_string();
        this.set("SLS_PATH_PREFIX", &prefix);
        this
    }

    /// One that is told of no config server and of no group, and has an access key.
    pub fn without_server() -> Self {
        let mut this = Self::new();
        this.unset("ALIYUN_LOGTAIL_USER_DEFINED_ID");
        this.unset("ALIYUN_LOGTAIL_USER_ID");
        let keys = serde_json::json!({"default_access_key_id": "id", "default_access_key": "hidden-secret",
            "check_point_path": "/state"});
        this.write(CONFIG, keys.to_string());
        this
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// Where a path of the container really is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// A config file that names these servers.
    pub fn configure(&self, servers: &[&str]) {
        let config = serde_json::json!({
            "config_server_list": [{"cluster": "community", "endpoint_list": servers}],
            "default_access_key_id": "id", "default_access_key": "hidden-secret",
            "heartbeat_interval": 1, "check_point_path": "/state",
        });
        self.write(CONFIG, config.to_string());
    }

    /// The collector's executable under a name of the image.
    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_collector"));
        command.arg0(name).args(args).env_clear().envs(self.variables.iter().cloned());
        command
    }

    /// Runs an init script verb to its end.
    pub fn initd(&self, verb: &str) -> Output {
        self.command("/etc/init.d/ilogtaild", &[verb]).output().unwrap()
    }

    /// Starts the image's entry point.
    pub fn start(&self) -> Collector {
        self.start_as("/usr/local/ilogtail/ilogtail", &[])
    }

    /// Starts the executable under a name of the image, in the foreground.
    pub fn start_as(&self, name: &str, args: &[&str]) -> Collector {
        let (out, log) = (self.path("stdout"), self.path("stderr"));
        let child = self
            .command(name, args)
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Collector { child, out, log }
    }
}

impl Drop for Container {
    /// A daemon that a failed test left behind must not outlive it.
    fn drop(&mut self) {
        let layout = collector::layout::Layout::new(Some(self.dir.path().to_owned()));
        for home in layout.homes() {
            if let Ok(Presence::Running(running)) = Presence::of(&home.pid_file())
                && let Some(pid) = running.pid
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// A running collector; killed if the test ends without stopping it.
pub struct Collector {
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

impl Collector {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn wait_for_log(&self, part: &str) {
        eventually(&format!("{part:?} in the log:\n{}", self.log()), || {
            self.log().contains(part).then_some(())
        });
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end: exit code and standard output.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let child = &mut self.child;
        let status = eventually("the collector's end", || child.try_wait().unwrap());
        (status.code(), fs::read_to_string(&self.out).unwrap())
    }

    pub fn stop(self) -> (Option<i32>, String) {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Respond = dyn Fn(&HeartbeatRequest) -> HeartbeatResponse + Send + Sync;
type Fetch = dyn Fn(&FetchConfigRequest) -> FetchConfigResponse + Send + Sync;

struct Shared {
    beats: Mutex<Vec<HeartbeatRequest>>,
    news: Condvar,
    respond: Box<Respond>,
    fetch: Box<Fetch>,
}

/// A server of the agent protocol.
pub struct ConfigServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl ConfigServer {
    pub fn start(respond: impl Fn(&HeartbeatRequest) -> HeartbeatResponse + Send + Sync + 'static) -> Self {
        Self::start_with("127.0.0.1:0", respond, |_| FetchConfigResponse::default())
    }

    pub fn start_with(
        address: &str,
        respond: impl Fn(&HeartbeatRequest) -> HeartbeatResponse + Send + Sync + 'static,
        fetch: impl Fn(&FetchConfigRequest) -> FetchConfigResponse + Send + Sync + 'static,
    ) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            beats: Mutex::default(),
            news: Condvar::new(),
            respond: Box::new(respond),
            fetch: Box::new(fetch),
        });
        let router = Router::new()
            .route("/Agent/Heartbeat", post(heartbeat))
            .route("/Agent/FetchPipelineConfig", post(fetch_config))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, runtime: Some(runtime) }
    }

    /// Waits for a heartbeat that `wanted` accepts.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&HeartbeatRequest) -> bool) -> HeartbeatRequest {
        let deadline = Instant::now() + HANG;
        let mut beats = self.shared.beats.lock().unwrap();
        loop {
            if let Some(beat) = beats.iter().find(|beat| wanted(beat)) {
                return beat.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            beats = self.shared.news.wait_timeout(beats, left).unwrap().0;
            let is_late = Instant::now() >= deadline;
            assert!(!is_late, "no heartbeat with {what}; the last one: {:#?}", beats.last());
        }
    }

    pub fn beats(&self) -> Vec<HeartbeatRequest> {
        self.shared.beats.lock().unwrap().clone()
    }
}

impl Drop for ConfigServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn heartbeat(State(shared): State<Arc<Shared>>, body: Bytes) -> Vec<u8> {
    let request = HeartbeatRequest::decode(body).expect("a heartbeat");
    let answer = (shared.respond)(&request);
    shared.beats.lock().unwrap().push(request);
    shared.news.notify_all();
    answer.encode_to_vec()
}

async fn fetch_config(State(shared): State<Arc<Shared>>, body: Bytes) -> Vec<u8> {
    let request = FetchConfigRequest::decode(body).expect("a fetch");
    (shared.fetch)(&request).encode_to_vec()
}

/// An answer that hands out these configs to a collector that has other versions of them.
pub fn updates(beat: &HeartbeatRequest, configs: &[ConfigDetail]) -> HeartbeatResponse {
    let known = |config: &ConfigDetail| {
        let mut held = beat.continuous_pipeline_configs.iter();
        held.any(|held| held.name == config.name && held.version == config.version)
    };
    HeartbeatResponse {
        request_id: beat.request_id.clone(),
        continuous_pipeline_config_updates: configs.iter().filter(|config| !known(config)).cloned().collect(),
        ..HeartbeatResponse::default()
    }
}

/// A config in simple mode; its data endpoint refuses connections.
pub fn config(name: &str, version: i64) -> ConfigDetail {
    config_to(name, version, "127.0.0.1:1")
}

/// The same with another data endpoint.
pub fn config_to(name: &str, version: i64, endpoint: &str) -> ConfigDetail {
    let detail = serde_json::json!({
        "inputs": [{"Type": "input_file", "FilePaths": [format!("/var/log/{name}.log")]}],
        "flushers": [{"Type": "flusher_sls", "Project": "k8s-nginx-sidecar-demo", "Logstore": "nginx-error",
            "Region": "cn-hangzhou", "Endpoint": endpoint}],
    });
    ConfigDetail {
        name: name.into(),
        version,
        detail: detail.to_string().into_bytes(),
        ..ConfigDetail::default()
    }
}

/// Does the heartbeat report this config so?
pub fn reports(beat: &HeartbeatRequest, name: &str, version: i64, status: ConfigStatus) -> bool {
    let mut held = beat.continuous_pipeline_configs.iter();
    held.any(|held| held.name == name && held.version == version && held.status() == status)
}

/// Is the process with this id gone? (Waits for it.)
pub fn wait_gone(pid: &str) {
    let directory = Path::new("/proc").join(pid);
    eventually("the process's end", || (!directory.exists()).then_some(()));
}
