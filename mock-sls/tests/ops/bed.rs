//! A server with a client, and how results are shown in expectations.

use std::fmt::Debug;

use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Running};
use sls_api::names::{LogstoreName, ProjectName};
use sls_api::ops::InLogstore;
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery, Operation};
use sls_client::{Client, ClientConfig, ClientError};

/// A running server, a client with the default key and the name of a project.
pub struct Bed {
    pub server: Running,
    pub client: Client,
    pub project: ProjectName,
}

pub fn default_key() -> AccessKey {
    AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET)
}

pub fn client(server: &Running, key: AccessKey) -> Client {
    let endpoint = server.endpoint().parse().expect("the endpoint is valid");
    Client::new(ClientConfig::new(endpoint, key)).expect("the client config is valid")
}

impl Bed {
    /// A server without any project.
    pub async fn bare(config: Config) -> Self {
        let server = MockSls::start(config).await.expect("the server starts");
        let client = client(&server, default_key());
        Self { server, client, project: "proj-a".parse().expect("a valid name") }
    }

    /// A server with the project `proj-a`.
    pub async fn start() -> Self {
        let bed = Self::bare(Config::default()).await;
        bed.create_project().await;
        bed
    }

    /// A server with the project `proj-a` and the Logstore `ls` of two shards.
    pub async fn with_logstore() -> Self {
        let bed = Self::start().await;
        bed.create_logstore("ls", 2).await;
        bed
    }

    pub async fn create_project(&self) {
        let new = Json(NewProject::new(self.project.clone(), "test"));
        self.send::<CreateProject>(&NoPath {}, &NoQuery {}, &new).await.expect("a new project");
    }

    pub async fn create_logstore(&self, name: &str, shards: i64) {
        let settings = LogstoreSettings::new(logstore(name).logstore, 30, shards);
        self.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(settings)).await.expect("a new logstore");
    }

    /// Sends to the project `proj-a`.
    pub async fn send<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        self.client.send::<O>(Some(&self.project), path, query, body).await
    }

    /// Sends and shows the outcome.
    pub async fn shown<O: Operation>(&self, path: &O::Path, query: &O::Query, body: &O::Body) -> String
    where
        O::Reply: Debug,
    {
        shown(self.send::<O>(path, query, body).await)
    }
}

/// The path of a Logstore.
pub fn logstore(name: &str) -> InLogstore {
    InLogstore { logstore: name.parse::<LogstoreName>().expect("a valid name") }
}

/// `ok` with the reply, or status, code and message.
pub fn shown<T: Debug>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Ok(reply) => format!("ok {reply:?}"),
        Err(ClientError::Api { status, code, message, .. }) => format!("{status} {code}: {message}"),
        Err(other) => other.to_string(),
    }
}
