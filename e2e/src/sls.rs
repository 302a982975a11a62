//! The Log Service as the scenarios see it: its public API, through the signed client.

use anyhow::{Context, Result};
use sls_api::Json;
use sls_api::error::code;
use sls_api::names::{ConfigName, MachineGroupName, ProjectName};
use sls_api::ops::indexes::{CreateIndex, GetIndex, Index, IndexLine};
use sls_api::ops::logs::{GetLogs, GetLogsRequest};
use sls_api::ops::logstores::{CreateLogStore, DeleteLogStore, LogstoreSettings};
use sls_api::ops::logtail_configs::{GetConfig, LogtailConfig};
use sls_api::ops::machine_groups::{
    CreateMachineGroup, GetAppliedConfigs, ListMachines, Machine, MachineGroup,
};
use sls_api::ops::{InConfig, InLogstore, InMachineGroup, Paging};
use sls_api::sign::{AccessKey, SignVersion};
use sls_api::{NoPath, NoQuery};
use sls_client::{Client, ClientConfig, ClientError};

use crate::bed::REGION;

pub use sls_api::ops::logs::Row;

/// Rows a GetLogs answer holds at most. Source: API reference, GetLogs.
const PAGE_ROWS: i64 = 100;
/// How far around now the scenarios look for logs, in seconds: their logs are new.
const WINDOW_SECONDS: i64 = 3600;
/// Settings of Logstores that a scenario makes itself.
const LOGSTORE_TTL_DAYS: i64 = 1;
const LOGSTORE_SHARDS: i64 = 2;
/// Characters that separate words in their index, among them those around the ids in a URL.
const TOKENS: [&str; 9] = [" ", "?", "&", "=", "/", "\"", ",", ":", "\t"];

/// A client that works in one project.
#[derive(Clone)]
pub struct Sls {
    client: Client,
    project: ProjectName,
}

impl Sls {
    /// A client with the emulator's default key pair that signs with version 4.
    ///
    /// # Errors
    /// The endpoint or the project's name is not one.
    pub fn connect(endpoint: &str, project: &str) -> Result<Self> {
        let key = AccessKey::new(mock_sls::DEFAULT_ACCESS_KEY_ID, mock_sls::DEFAULT_ACCESS_KEY_SECRET);
        let mut config = ClientConfig::new(endpoint.parse()?, key);
        config.sign = SignVersion::V4 { region: REGION.to_owned() };
        Ok(Self { client: Client::new(config)?, project: project.parse()? })
    }

    /// Number of logs that match `search`; 0 while the Logstore or its index does not exist.
    ///
    /// # Errors
    /// The service does not answer, or refuses the query.
    pub async fn count(&self, logstore: &str, search: &str) -> Result<u64> {
        let query = format!("{search} | select count(*) as n");
        let rows = match self.get_logs(logstore, query, 0).await {
            Ok(rows) => rows,
            Err(error) if is_absent(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        let n = rows.first().and_then(|row| row.get("n")).context("the answer to count(*) has no row n")?;
        n.parse().with_context(|| format!("count(*) is {n:?}"))
    }

    /// All logs that match `search`, page by page.
    ///
    /// # Errors
    /// The service does not answer, or refuses the query.
    pub async fn rows(&self, logstore: &str, search: &str) -> Result<Vec<Row>> {
        let mut all = Vec::new();
        loop {
            let offset = i64::try_from(all.len())?;
            let page = self.get_logs(logstore, search.to_owned(), offset).await?;
            let count = page.len();
            all.extend(page);
            if i64::try_from(count)? < PAGE_ROWS {
                return Ok(all);
            }
        }
    }

    /// The answer to one query, `search` or `search | select …`, as the service gives it.
    ///
    /// # Errors
    /// The service does not answer, or refuses the query.
    pub async fn get_logs(&self, logstore: &str, query: String, offset: i64) -> Result<Vec<Row>> {
        let now = jiff::Timestamp::now().as_second();
        let paged = !query.contains('|');
        let request = GetLogsRequest {
            from: now - WINDOW_SECONDS,
            to: now + WINDOW_SECONDS,
            query,
            line: paged.then_some(PAGE_ROWS),
            offset: paged.then_some(offset),
            ..GetLogsRequest::default()
        };
        let path = InLogstore { logstore: logstore.parse()? };
        let Json(reply) =
            self.client.send::<GetLogs>(Some(&self.project), &path, &NoQuery {}, &Json(request)).await?;
        Ok(reply.data)
    }

    /// The config, if there is one of that name (and the project exists).
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn config(&self, config: &str) -> Result<Option<LogtailConfig>> {
        let path = InConfig { config: config.parse::<ConfigName>()? };
        let reply = self.client.send::<GetConfig>(Some(&self.project), &path, &NoQuery {}, &()).await;
        Ok(present(reply)?.map(|Json(config)| config))
    }

    /// Whether the Logstore is there and has an index.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn has_index(&self, logstore: &str) -> Result<bool> {
        let path = InLogstore { logstore: logstore.parse()? };
        let reply = self.client.send::<GetIndex>(Some(&self.project), &path, &NoQuery {}, &()).await;
        Ok(present(reply)?.is_some())
    }

    /// Names of the configs bound to the machine group.
    ///
    /// # Errors
    /// The group does not exist, or the service does not answer.
    pub async fn applied_configs(&self, group: &str) -> Result<Vec<String>> {
        let path = InMachineGroup { group: group.parse::<MachineGroupName>()? };
        let Json(reply) =
            self.client.send::<GetAppliedConfigs>(Some(&self.project), &path, &NoQuery {}, &()).await?;
        Ok(reply.configs.into_iter().map(|config| config.to_string()).collect())
    }

    /// The machines that have shown themselves in the group.
    ///
    /// # Errors
    /// The group does not exist, or the service does not answer.
    pub async fn machines(&self, group: &str) -> Result<Vec<Machine>> {
        let path = InMachineGroup { group: group.parse::<MachineGroupName>()? };
        let query = Paging::default();
        let Json(reply) = self.client.send::<ListMachines>(Some(&self.project), &path, &query, &()).await?;
        Ok(reply.machines)
    }

    /// Creates a machine group whose machines carry the custom id `id`.
    ///
    /// # Errors
    /// The service refuses it, or does not answer.
    pub async fn create_machine_group(&self, group: &str, id: &str) -> Result<()> {
        let group = MachineGroup::user_defined(group.parse()?, vec![id.to_owned()]);
        self.client
            .send::<CreateMachineGroup>(Some(&self.project), &NoPath {}, &NoQuery {}, &Json(group))
            .await?;
        Ok(())
    }

    /// Creates a Logstore with a full-text index.
    ///
    /// # Errors
    /// The service refuses it, or does not answer.
    pub async fn create_logstore(&self, logstore: &str) -> Result<()> {
        let path = InLogstore { logstore: logstore.parse()? };
        let settings = LogstoreSettings::new(path.logstore.clone(), LOGSTORE_TTL_DAYS, LOGSTORE_SHARDS);
        let index = Index {
            line: Some(IndexLine {
                token: TOKENS.iter().map(|token| (*token).to_owned()).collect(),
                ..IndexLine::default()
            }),
            ..Index::default()
        };
        let project = Some(&self.project);
        self.client.send::<CreateLogStore>(project, &NoPath {}, &NoQuery {}, &Json(settings)).await?;
        self.client.send::<CreateIndex>(project, &path, &NoQuery {}, &Json(index)).await?;
        Ok(())
    }

    /// Deletes a Logstore and what is in it.
    ///
    /// # Errors
    /// It does not exist, or the service does not answer.
    pub async fn delete_logstore(&self, logstore: &str) -> Result<()> {
        let path = InLogstore { logstore: logstore.parse()? };
        self.client.send::<DeleteLogStore>(Some(&self.project), &path, &NoQuery {}, &()).await?;
        Ok(())
    }

    /// Age of a Unix time in seconds.
    pub fn seconds_ago(&self, unix_seconds: i64) -> i64 {
        jiff::Timestamp::now().as_second() - unix_seconds
    }
}

/// The reply, or `None` where the service says that the thing is not there.
fn present<T>(reply: Result<T, ClientError>) -> Result<Option<T>> {
    match reply.map_err(anyhow::Error::from) {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the error says that something is not there (yet).
fn is_absent(error: &anyhow::Error) -> bool {
    let absent = [
        code::PROJECT_NOT_EXIST,
        code::LOG_STORE_NOT_EXIST,
        code::INDEX_CONFIG_NOT_EXIST,
        code::CONFIG_NOT_EXIST,
    ];
    matches!(error.downcast_ref(), Some(ClientError::Api { code, .. }) if absent.contains(&code.as_str()))
}
