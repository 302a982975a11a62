//! The collector against a server that speaks the first version of the agent protocol only.

mod control_support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use control_support::{CONFIG, Container, config, eventually};
use prost::Message;
use sls_api::agent::v1::{
    CheckStatus, ConfigCheckResult, ConfigDetail, FetchConfigResponse, FetchPipelineConfigRequest,
    HeartBeatRequest, HeartBeatResponse, RespCode,
};

/// What the server has, and what it was told.
#[derive(Default)]
struct Shared {
    /// Name and version; the text is that of [`config`].
    configs: Mutex<Vec<(String, i64)>>,
    beats: Mutex<Vec<HeartBeatRequest>>,
    refusal: Mutex<Option<String>>,
}

struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    fn start(configs: &[(&str, i64)]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .route("/Agent/HeartBeat", post(heartbeat))
            .route("/Agent/FetchPipelineConfig", post(fetch))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        let server = Self { address, shared, runtime: Some(runtime) };
        server.set(configs);
        server
    }

    fn set(&self, configs: &[(&str, i64)]) {
        let configs = configs.iter().map(|(name, version)| ((*name).to_owned(), *version));
        *self.shared.configs.lock().unwrap() = configs.collect();
    }

    /// Waits for a heartbeat that says that the collector has exactly these.
    fn wait_for(&self, wanted: &[(&str, i64)]) -> HeartBeatRequest {
        let has = |beat: &HeartBeatRequest| {
            let has = beat.pipeline_configs.iter().map(|config| (config.name.as_str(), config.version));
            has.eq(wanted.iter().copied())
        };
        eventually("a heartbeat with these configs", || {
            self.shared.beats.lock().unwrap().iter().rev().find(|beat| has(beat)).cloned()
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn heartbeat(State(shared): State<Arc<Shared>>, body: Bytes) -> Vec<u8> {
    let beat = HeartBeatRequest::decode(body).expect("a heartbeat");
    let mut answer = HeartBeatResponse { request_id: beat.request_id.clone(), ..Default::default() };
    if let Some(refusal) = shared.refusal.lock().unwrap().clone() {
        (answer.code, answer.message) = (RespCode::InvalidParameter.into(), refusal);
        return answer.encode_to_vec();
    }
    let configs = shared.configs.lock().unwrap().clone();
    let result = |name: &str, version, status: CheckStatus| ConfigCheckResult {
        name: name.to_owned(),
        new_version: version,
        check_status: status.into(),
        ..ConfigCheckResult::default()
    };
    for (name, version) in &configs {
        match beat.pipeline_configs.iter().find(|has| has.name == *name) {
            None => answer.pipeline_check_results.push(result(name, *version, CheckStatus::New)),
            Some(has) if has.version != *version => {
                answer.pipeline_check_results.push(result(name, *version, CheckStatus::Modified));
            }
            Some(_) => {}
        }
    }
    for has in beat.pipeline_configs.iter().filter(|has| !configs.iter().any(|(name, _)| *name == has.name)) {
        answer.pipeline_check_results.push(result(&has.name, has.version, CheckStatus::Deleted));
    }
    shared.beats.lock().unwrap().push(beat);
    answer.encode_to_vec()
}

async fn fetch(body: Bytes) -> Vec<u8> {
    let asked = FetchPipelineConfigRequest::decode(body).expect("a request for configs");
    let details = asked.req_configs.into_iter().map(|wanted| ConfigDetail {
        detail: String::from_utf8(config(&wanted.name, wanted.version).detail).unwrap(),
        name: wanted.name,
        version: wanted.version,
        ..ConfigDetail::default()
    });
    FetchConfigResponse {
        request_id: asked.request_id,
        config_details: details.collect(),
        ..Default::default()
    }
    .encode_to_vec()
}

fn container(server: &Server) -> Container {
    let container = Container::new();
    let config = serde_json::json!({
        "ilogtail_configserver_address": [server.address.to_string()], "ilogtail_tags": {"team": "web"},
        "default_access_key_id": "id", "default_access_key": "hidden-secret", "heartbeat_interval": 1,
        "check_point_path": "/state",
    });
    container.write(CONFIG, config.to_string());
    container
}

#[test]
fn configs_come_change_and_go() {
    let server = Server::start(&[("access", 1), ("error", 7)]);
    let container = container(&server);
    let collector = container.start();
    let beat = server.wait_for(&[("access", 1), ("error", 7)]);
    assert_eq!(beat.tags, ["nginx-log-sidecar", "web"]);
    assert!(container.read("/state/config/remote/error.json").contains("\"version\": 7"));
    server.set(&[("error", 8)]);
    server.wait_for(&[("error", 8)]);
    collector.wait_for_log("config access: removed by the server");
    let (code, out) = collector.stop();
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn what_was_stored_goes_on_where_the_server_refuses_with_its_reason() {
    let server = Server::start(&[("error", 7)]);
    let container = container(&server);
    let collector = container.start();
    server.wait_for(&[("error", 7)]);
    assert_eq!(collector.stop().0, Some(0));
    *server.shared.refusal.lock().unwrap() = Some("Config error doesn't exist.".to_owned());
    let collector = container.start();
    collector.wait_for_log(
        "refuses this collector: status 1: Config error doesn't exist.; 1 config goes on collecting",
    );
    assert_eq!(collector.stop().0, Some(0));
}
