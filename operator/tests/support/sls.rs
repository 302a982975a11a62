//! Looks at Log Service with a client of its own, and does what other people do there.

use serde_json::Value;
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::ops::documents::{
    CreateLogtailPipelineConfig, GetLogtailPipelineConfig, InPipelineConfig, PipelineConfig,
};
use sls_api::ops::indexes::{DeleteIndex, GetIndex, Index};
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, DeleteLogStore, GetLogStore, Logstore, LogstoreSettings};
use sls_api::ops::logtail_configs::{
    CreateConfig, DeleteConfig, GetAppliedMachineGroups, GetConfig, ListConfig, ListConfigQuery,
    LogtailConfig, UpdateConfig,
};
use sls_api::ops::machine_groups::{
    ApplyConfigToMachineGroup, CreateMachineGroup, GetMachineGroup, MachineGroup,
    RemoveConfigFromMachineGroup,
};
use sls_api::ops::projects::{CreateProject, GetProject, NewProject};
use sls_api::ops::tags::{
    ListTagResources, ListTagResourcesQuery, ResourceType, Tag, TagRequest, TagResources,
};
use sls_api::ops::{InConfig, InLogstore, InMachineGroup, InMachineGroupConfig};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery, Operation};
use sls_client::{Client, ClientConfig};

pub struct Eyes {
    client: Client,
}

impl Eyes {
    pub fn new(endpoint: &str) -> Self {
        let key = AccessKey::new(mock_sls::DEFAULT_ACCESS_KEY_ID, mock_sls::DEFAULT_ACCESS_KEY_SECRET);
        let client = Client::new(ClientConfig::new(endpoint.parse().unwrap(), key)).unwrap();
        Self { client }
    }

    async fn send<O: Operation<Query = NoQuery>>(
        &self,
        project: &str,
        path: O::Path,
        body: O::Body,
    ) -> O::Reply {
        let project = project.parse().unwrap();
        self.client.send::<O>(Some(&project), &path, &NoQuery {}, &body).await.unwrap()
    }

    /// The reply, or nothing when there is no such thing.
    async fn get<O: Operation<Query = NoQuery, Body = ()>>(
        &self,
        project: &str,
        path: O::Path,
    ) -> Option<O::Reply> {
        let project = project.parse().unwrap();
        match self.client.send::<O>(Some(&project), &path, &NoQuery {}, &()).await {
            Ok(reply) => Some(reply),
            Err(error) if error.code().is_some_and(|code| code.ends_with("NotExist")) => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn has_project(&self, project: &str) -> bool {
        self.get::<GetProject>(project, NoPath {}).await.is_some()
    }

    pub async fn logstore(&self, project: &str, logstore: &str) -> Option<Logstore> {
        let path = InLogstore { logstore: logstore.parse().unwrap() };
        self.get::<GetLogStore>(project, path).await.map(|Json(found)| found)
    }

    pub async fn index(&self, project: &str, logstore: &str) -> Option<Index> {
        let path = InLogstore { logstore: logstore.parse().unwrap() };
        self.get::<GetIndex>(project, path).await.map(|Json(found)| found)
    }

    pub async fn group(&self, project: &str, group: &str) -> Option<MachineGroup> {
        let path = InMachineGroup { group: group.parse().unwrap() };
        self.get::<GetMachineGroup>(project, path).await.map(|Json(found)| found)
    }

    pub async fn config(&self, project: &str, config: &str) -> Option<LogtailConfig> {
        let path = InConfig { config: config.parse().unwrap() };
        self.get::<GetConfig>(project, path).await.map(|Json(found)| found)
    }

    pub async fn bound(&self, project: &str, config: &str) -> Vec<String> {
        let path = InConfig { config: config.parse().unwrap() };
        let applied = self.get::<GetAppliedMachineGroups>(project, path).await;
        let mut groups: Vec<_> = applied
            .map(|Json(applied)| applied.machinegroups.iter().map(ToString::to_string).collect())
            .unwrap_or_default();
        groups.sort();
        groups
    }

    pub async fn create_project(&self, project: &str) {
        let body = Json(NewProject::new(project.parse().unwrap(), ""));
        self.send::<CreateProject>(project, NoPath {}, body).await;
    }

    pub async fn create_logstore(&self, project: &str, logstore: &str, ttl_days: i64, shards: i64) {
        let body = Json(LogstoreSettings::new(logstore.parse().unwrap(), ttl_days, shards));
        self.send::<CreateLogStore>(project, NoPath {}, body).await;
    }

    pub async fn create_group(&self, project: &str, group: &str, ids: &[&str]) {
        let ids = ids.iter().map(ToString::to_string).collect();
        let body = Json(MachineGroup::user_defined(group.parse().unwrap(), ids));
        self.send::<CreateMachineGroup>(project, NoPath {}, body).await;
    }

    /// Writes one log, of now.
    pub async fn put_log(&self, project: &str, logstore: &str) {
        let time = u32::try_from(jiff::Timestamp::now().as_second()).unwrap();
        let log = Log { time, contents: vec![Content::new("content", "hello")], time_ns: None };
        let group = LogGroup { logs: vec![log], ..LogGroup::default() };
        let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
        self.send::<PutLogs>(project, InLogstore { logstore: logstore.parse().unwrap() }, body).await;
    }

    pub async fn bind(&self, project: &str, group: &str, config: &str) {
        let path = InMachineGroupConfig { group: group.parse().unwrap(), config: config.parse().unwrap() };
        self.send::<ApplyConfigToMachineGroup>(project, path, ()).await;
    }

    pub async fn delete_index(&self, project: &str, logstore: &str) {
        let path = InLogstore { logstore: logstore.parse().unwrap() };
        self.send::<DeleteIndex>(project, path, ()).await;
    }

    pub async fn create_config(&self, project: &str, config: LogtailConfig) {
        self.send::<CreateConfig>(project, NoPath {}, Json(config)).await;
    }

    /// Tags of a config, by key.
    pub async fn tags(&self, project: &str, config: &str) -> Vec<(String, String)> {
        let query = ListTagResourcesQuery {
            resource_type: ResourceType::LogtailConfig.name().to_owned(),
            resource_id: Some(serde_json::json!([format!("{project}#{config}")]).to_string()),
            ..ListTagResourcesQuery::default()
        };
        let project = project.parse().unwrap();
        let Json(page) =
            self.client.send::<ListTagResources>(Some(&project), &NoPath {}, &query, &()).await.unwrap();
        let mut tags: Vec<_> =
            page.tag_resources.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect();
        tags.sort();
        tags
    }

    pub async fn tag(&self, project: &str, config: &str, key: &str, value: &str) {
        let request = TagRequest {
            resource_type: ResourceType::LogtailConfig.name().to_owned(),
            resource_id: vec![format!("{project}#{config}")],
            tags: vec![Tag { key: key.to_owned(), value: value.to_owned() }],
            tag_owner_uid: None,
            category: None,
            scope: None,
        };
        self.send::<TagResources>(project, NoPath {}, Json(request)).await;
    }

    pub async fn pipeline(&self, project: &str, config: &str) -> Option<PipelineConfig> {
        let path = InPipelineConfig { name: config.parse().unwrap() };
        self.get::<GetLogtailPipelineConfig>(project, path).await.map(|Json(found)| found)
    }

    pub async fn create_pipeline(&self, project: &str, config: Value) {
        let config = Json(serde_json::from_value(config).unwrap());
        self.send::<CreateLogtailPipelineConfig>(project, NoPath {}, config).await;
    }

    pub async fn unbind(&self, project: &str, group: &str, config: &str) {
        let path = InMachineGroupConfig { group: group.parse().unwrap(), config: config.parse().unwrap() };
        self.send::<RemoveConfigFromMachineGroup>(project, path, ()).await;
    }

    pub async fn delete_logstore(&self, project: &str, logstore: &str) {
        self.send::<DeleteLogStore>(project, InLogstore { logstore: logstore.parse().unwrap() }, ()).await;
    }

    /// Names of the configs of a project, at most 500.
    pub async fn configs(&self, project: &str) -> Vec<String> {
        let query = ListConfigQuery { size: Some(500), ..ListConfigQuery::default() };
        let project = project.parse().unwrap();
        let Json(page) =
            self.client.send::<ListConfig>(Some(&project), &NoPath {}, &query, &()).await.unwrap();
        page.configs.iter().map(ToString::to_string).collect()
    }

    pub async fn delete_config(&self, project: &str, config: &str) {
        self.send::<DeleteConfig>(project, InConfig { config: config.parse().unwrap() }, ()).await;
    }

    pub async fn change_config(&self, project: &str, config: &str, change: impl FnOnce(&mut LogtailConfig)) {
        let mut body = self.config(project, config).await.unwrap();
        change(&mut body);
        let path = InConfig { config: config.parse().unwrap() };
        self.send::<UpdateConfig>(project, path, Json(body)).await;
    }
}
