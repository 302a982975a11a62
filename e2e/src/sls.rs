//! The Log Service as the scenarios see it: its public API, through the signed client.

use std::time::Duration;

use anyhow::{Context, Result};
use sls_api::Json;
use sls_api::error::code;
use sls_api::log_group::{Content, LogGroup};
use sls_api::names::{ConfigName, LogstoreName, MachineGroupName, ProjectName};
use sls_api::operation::{Operation, REPLY_RAW_BYTES_MAX};
use sls_api::ops::cursors::{CursorQuery, GetCursor, PullLogs, PullQuery};
use sls_api::ops::indexes::{CreateIndex, GetIndex, Index, IndexLine};
use sls_api::ops::logs::{GetLogs, GetLogsRequest};
use sls_api::ops::logstores::{CreateLogStore, DeleteLogStore, LogstoreSettings};
use sls_api::ops::logtail_configs::{GetConfig, LogtailConfig};
use sls_api::ops::machine_groups::{
    CreateMachineGroup, GetAppliedConfigs, ListMachines, Machine, MachineGroup,
};
use sls_api::ops::shards::ListShards;
use sls_api::ops::{InConfig, InLogstore, InMachineGroup, InShard, Paging};
use sls_api::sign::{AccessKey, SignVersion};
use sls_api::{NoPath, NoQuery};
use sls_client::{Client, ClientConfig, ClientError, RetryPolicy};

use crate::bed::REGION;

pub use sls_api::ops::logs::Row;

/// Rows a GetLogs answer holds at most. Source: API reference, GetLogs.
const PAGE_ROWS: i64 = 100;
/// Log groups a PullLogs answer holds at most. Source: API reference, PullLogs.
const PULL_GROUPS_MAX: i64 = 1000;
/// How far around now the scenarios look for logs, in seconds: their logs are new.
const WINDOW_SECONDS: i64 = 3600;
/// Pause before a question that nobody answered is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);
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
    patience: RetryPolicy,
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
        let patience = RetryPolicy { attempts: 1, base: ASK_AGAIN, cap: ASK_AGAIN };
        Ok(Self { client: Client::new(config)?, project: project.parse()?, patience })
    }

    /// The same client that asks again for about so long while the service is away.
    #[must_use]
    pub fn patient(mut self, limit: Duration) -> Self {
        let attempts = limit.as_millis() / ASK_AGAIN.as_millis();
        self.patience.attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        self
    }

    /// Asks the service for something, which changes nothing there.
    async fn ask<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        self.client.send_with_retry::<O>(Some(&self.project), path, query, body, self.patience).await
    }

    /// Number of logs that match `search`; 0 while the Logstore or its index does not exist.
    ///
    /// # Errors
    /// The service does not answer, or refuses the query.
    pub async fn count(&self, logstore: &str, search: &str) -> Result<u64> {
        let query = format!("{search} | select count(*) as n");
        let rows = match self.get_logs(logstore, query).await {
            Ok(rows) => rows,
            Err(error) if is_absent(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        let n = rows.first().and_then(|row| row.get("n")).context("the answer to count(*) has no row n")?;
        n.parse().with_context(|| format!("count(*) is {n:?}"))
    }

    /// The first page of logs that match `search`, newest or oldest as the service likes.
    ///
    /// # Errors
    /// The service does not answer, or refuses the query.
    pub async fn page(&self, logstore: &str, search: &str) -> Result<Vec<Row>> {
        self.get_logs(logstore, search.to_owned()).await
    }

    /// All logs in which the word stands, shard by shard in order of receipt, with the names that a
    /// query gives their tags. Pulled and not queried, since pages of a query cost the service a search
    /// each.
    ///
    /// # Errors
    /// The service does not answer, or the Logstore does not exist.
    pub async fn rows(&self, logstore: &str, word: &str) -> Result<Vec<Row>> {
        let logstore: LogstoreName = logstore.parse()?;
        let path = InLogstore { logstore: logstore.clone() };
        let Json(shards) = self.ask::<ListShards>(&path, &NoQuery {}, &()).await?;
        let mut rows = Vec::new();
        for shard in shards {
            let path = InShard { logstore: logstore.clone(), shard: shard.shard_id };
            let begin = CursorQuery { from: "begin".to_owned() };
            let Json(mut at) = self.ask::<GetCursor>(&path, &begin, &()).await?;
            loop {
                let query = PullQuery {
                    cursor: at.cursor.clone(),
                    count: Some(PULL_GROUPS_MAX),
                    end_cursor: None,
                    query: None,
                };
                let pulled = self.ask::<PullLogs>(&path, &query, &()).await?;
                if pulled.count == 0 {
                    break;
                }
                let groups = pulled.groups(REPLY_RAW_BYTES_MAX).context("cannot read pulled logs")?;
                rows.extend(groups.log_groups.iter().flat_map(rows_of).filter(|row| holds(row, word)));
                at.cursor = pulled.cursor;
            }
        }
        Ok(rows)
    }

    /// The answer to one query, `search` or `search | select …`, as the service gives it.
    ///
    /// # Errors
    /// The service does not answer, or refuses the query.
    pub async fn get_logs(&self, logstore: &str, query: String) -> Result<Vec<Row>> {
        let now = jiff::Timestamp::now().as_second();
        let paged = !query.contains('|');
        let request = GetLogsRequest {
            from: now - WINDOW_SECONDS,
            to: now + WINDOW_SECONDS,
            query,
            line: paged.then_some(PAGE_ROWS),
            ..GetLogsRequest::default()
        };
        let path = InLogstore { logstore: logstore.parse()? };
        let Json(reply) = self.ask::<GetLogs>(&path, &NoQuery {}, &Json(request)).await?;
        Ok(reply.data)
    }

    /// The config, if there is one of that name (and the project exists).
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn config(&self, config: &str) -> Result<Option<LogtailConfig>> {
        let path = InConfig { config: config.parse::<ConfigName>()? };
        let reply = self.ask::<GetConfig>(&path, &NoQuery {}, &()).await;
        Ok(present(reply)?.map(|Json(config)| config))
    }

    /// Whether the Logstore is there and has an index.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn has_index(&self, logstore: &str) -> Result<bool> {
        let path = InLogstore { logstore: logstore.parse()? };
        let reply = self.ask::<GetIndex>(&path, &NoQuery {}, &()).await;
        Ok(present(reply)?.is_some())
    }

    /// Names of the configs bound to the machine group.
    ///
    /// # Errors
    /// The group does not exist, or the service does not answer.
    pub async fn applied_configs(&self, group: &str) -> Result<Vec<String>> {
        let path = InMachineGroup { group: group.parse::<MachineGroupName>()? };
        let Json(reply) = self.ask::<GetAppliedConfigs>(&path, &NoQuery {}, &()).await?;
        Ok(reply.configs.into_iter().map(|config| config.to_string()).collect())
    }

    /// The machines that have shown themselves in the group.
    ///
    /// # Errors
    /// The group does not exist, or the service does not answer.
    pub async fn machines(&self, group: &str) -> Result<Vec<Machine>> {
        let path = InMachineGroup { group: group.parse::<MachineGroupName>()? };
        let query = Paging::default();
        let Json(reply) = self.ask::<ListMachines>(&path, &query, &()).await?;
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

/// The logs of a group as a query shows them.
fn rows_of(group: &LogGroup) -> impl Iterator<Item = Row> {
    group.logs.iter().map(|log| {
        let tags = group.log_tags.iter().map(|tag| (format!("__tag__:{}", tag.key), tag.value.clone()));
        let value = |content: &Content| String::from_utf8_lossy(&content.value).into_owned();
        let contents = log.contents.iter().map(|content| (content.key.clone(), value(content)));
        Row(contents.chain(tags).collect())
    })
}

fn holds(row: &Row, word: &str) -> bool {
    row.0.iter().any(|(_, value)| value.contains(word))
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

#[cfg(test)]
mod tests {
    use super::*;
    use sls_api::log_group::{Log, LogTag};

    #[test]
    fn a_pulled_log_has_the_names_that_a_query_gives() {
        let log = Log { contents: vec![Content::new("content", "GET /?run=r1 x")], ..Log::default() };
        let tag = LogTag { key: "_pod_name_".to_owned(), value: "a".to_owned() };
        let group = LogGroup { logs: vec![log], log_tags: vec![tag], ..LogGroup::default() };
        let rows: Vec<Row> = rows_of(&group).collect();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].get("__tag__:_pod_name_"), Some("a"));
        assert!(holds(&rows[0], "r1") && !holds(&rows[0], "r2"));
    }
}
