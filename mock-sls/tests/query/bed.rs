//! A server with one Logstore per test case.

use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Running};
use sls_api::codec::Compression;
use sls_api::log_group::LogGroup;
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index};
use sls_api::ops::logs::{
    CompressedLogs, GetHistograms, GetLogs, GetLogsRequest, HistogramQuery, Histograms, LogsReply, PutLogs,
};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery, Operation};
use sls_client::{Client, ClientConfig, ClientError};

pub struct Bed {
    _server: Running,
    client: Client,
    project: ProjectName,
}

impl Bed {
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let server = MockSls::start(config).await.expect("the server starts");
        let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let endpoint = server.endpoint().parse().expect("the endpoint is valid");
        let client = Client::new(ClientConfig::new(endpoint, key)).expect("the client config is valid");
        let project: ProjectName = "query-cases".parse().expect("a valid name");
        let bed = Self { _server: server, client, project: project.clone() };
        let new = Json(NewProject::new(project, "queries"));
        bed.send::<CreateProject>(&NoPath {}, &NoQuery {}, &new).await.expect("a new project");
        bed
    }

    pub async fn create_logstore(&self, name: &str) -> InLogstore {
        let path = InLogstore { logstore: name.parse().expect("a valid name") };
        let settings = Json(LogstoreSettings::new(path.logstore.clone(), 30, 2));
        self.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &settings).await.expect("a new logstore");
        path
    }

    pub async fn create_index(&self, logstore: &InLogstore, index: &Index) {
        self.send::<CreateIndex>(logstore, &NoQuery {}, &Json(index.clone())).await.expect("a new index");
    }

    pub async fn put(&self, logstore: &InLogstore, group: &LogGroup) {
        let body = CompressedLogs::from_group(group, Compression::Lz4).expect("a group that packs");
        self.send::<PutLogs>(logstore, &NoQuery {}, &body).await.expect("logs are taken");
    }

    pub async fn get_logs(
        &self,
        logstore: &InLogstore,
        request: GetLogsRequest,
    ) -> Result<LogsReply, ClientError> {
        self.send::<GetLogs>(logstore, &NoQuery {}, &Json(request)).await.map(|Json(reply)| reply)
    }

    pub async fn histograms(
        &self,
        logstore: &InLogstore,
        query: HistogramQuery,
    ) -> Result<Histograms, ClientError> {
        self.send::<GetHistograms>(logstore, &query, &()).await
    }

    pub async fn send<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        self.client.send::<O>(Some(&self.project), path, query, body).await
    }
}
