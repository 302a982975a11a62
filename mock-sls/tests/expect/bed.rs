//! A server with one project, and its `/_mock/v1`.

use http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Running};
use serde_json::{Value, json};
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index, UpdateIndex};
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, DeleteLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery, Operation};
use sls_client::{Client, ClientConfig, ClientError};

pub const PROJECT: &str = "expect-tests";
pub const LOGSTORE: &str = "access";

#[derive(Clone)]
pub struct Bed {
    pub server: std::sync::Arc<Running>,
    client: Client,
    project: ProjectName,
}

impl Bed {
    /// With an empty project.
    pub async fn empty() -> Self {
        let server = MockSls::start(Config::default()).await.expect("the server starts");
        let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let endpoint = server.endpoint().parse().expect("the endpoint is valid");
        let client = Client::new(ClientConfig::new(endpoint, key)).expect("the client config is valid");
        let project: ProjectName = PROJECT.parse().expect("a valid name");
        let bed = Self { server: server.into(), client, project: project.clone() };
        let new = Json(NewProject::new(project, "expectations"));
        bed.send::<CreateProject>(&NoPath {}, &NoQuery {}, &new).await.expect("a new project");
        bed
    }

    /// With a Logstore and an index of the fields `status` (long) and `url` (text), and of all text.
    pub async fn start() -> Self {
        let bed = Self::empty().await;
        bed.create_logstore().await;
        bed.create_index().await;
        bed
    }

    pub async fn create_logstore(&self) {
        let settings = Json(LogstoreSettings::new(path().logstore, 30, 2));
        self.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &settings).await.expect("a new logstore");
    }

    pub async fn create_index(&self) {
        self.send::<CreateIndex>(&path(), &NoQuery {}, &Json(index())).await.expect("a new index");
    }

    /// Makes the same index again, for the logs that come from now on.
    pub async fn update_index(&self) {
        self.send::<UpdateIndex>(&path(), &NoQuery {}, &Json(index())).await.expect("the index");
    }

    /// Writes logs in one group, each `status url`.
    pub async fn put(&self, logs: &[&str]) {
        let log = |(time, text): (u32, &&str)| {
            let (status, url) = text.split_once(' ').expect("status and url");
            let contents =
                vec![Content::new("status", status.to_owned()), Content::new("url", url.to_owned())];
            Log { time, contents, time_ns: None }
        };
        let group = LogGroup {
            logs: (1_700_000_000..).zip(logs).map(log).collect(),
            topic: Some("web".to_owned()),
            ..LogGroup::default()
        };
        self.put_group(&group).await;
    }

    pub async fn put_group(&self, group: &LogGroup) {
        let body = CompressedLogs::from_group(group, Compression::Lz4).expect("a group that packs");
        self.send::<PutLogs>(&path(), &NoQuery {}, &body).await.expect("logs are taken");
    }

    pub async fn delete_logstore(&self) {
        self.send::<DeleteLogStore>(&path(), &NoQuery {}, &()).await.expect("the logstore goes");
    }

    pub async fn send<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        self.client.send::<O>(Some(&self.project), path, query, body).await
    }

    /// Asks with these members besides project and Logstore; status and answer.
    pub async fn expect(&self, members: Value) -> (u16, Value) {
        self.post("/_mock/v1/expect", &asked(members)).await
    }

    pub async fn post(&self, target: &str, body: &Value) -> (u16, Value) {
        self.call(Method::POST, target, body.to_string()).await
    }

    /// Posts what is not JSON as a whole.
    pub async fn post_text(&self, target: &str, body: String) -> (u16, Value) {
        self.call(Method::POST, target, body).await
    }

    pub async fn get(&self, target: &str) -> (u16, Value) {
        self.call(Method::GET, target, String::new()).await
    }

    async fn call(&self, method: Method, target: &str, body: String) -> (u16, Value) {
        let http: Http<_, String> = Http::builder(TokioExecutor::new()).build(HttpConnector::new());
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.server.endpoint()))
            .header("host", "sls.test")
            .header("content-type", "application/json")
            .body(body)
            .expect("a request");
        let answer = http.request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}")))
    }
}

fn index() -> Index {
    serde_json::from_value(json!({
            "line": {"token": [" ", "/", "?", "="], "caseSensitive": true},
            "keys": {
                "status": {"type": "long", "doc_value": true},
                "url": {"type": "text", "token": ["/", "?", "="], "caseSensitive": true, "doc_value": true},
            },
    }))
    .expect("an index")
}

/// An expectation with these members besides project and Logstore.
pub fn asked(members: Value) -> Value {
    let mut asked = json!({"project": PROJECT, "logstore": LOGSTORE});
    if let (Some(asked), Value::Object(members)) = (asked.as_object_mut(), members) {
        asked.extend(members);
    }
    asked
}

fn path() -> InLogstore {
    InLogstore { logstore: LOGSTORE.parse().expect("a valid name") }
}
