//! The Log Service as the scenarios see it: its public API, through the signed client, and what the emulator
//! says of what it received.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use sls_api::Json;
use sls_api::error::code;
use sls_api::names::{ConfigName, MachineGroupName, ProjectName};
use sls_api::operation::Operation;
use sls_api::ops::documents::{CreateLogging, Logging, LoggingDetail};
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
use sls_client::{Client, ClientConfig, ClientError, RetryPolicy};
use sls_expect::account::{AccountAsked, Accounting, LISTED_MAX};
use sls_expect::client::{CallError, Emulator};
use sls_expect::expectation::TIMEOUT_MAX_MS;
use sls_expect::{Count, Expectation, Verdict, report};

use crate::bed::REGION;

pub use sls_api::ops::logs::Row;

/// Rows a GetLogs answer holds at most. Source: API reference, GetLogs.
const PAGE_ROWS: i64 = 100;
/// After everything has arrived, this long nothing more may arrive: a line sent twice comes late.
const STABLE_FOR: Duration = Duration::from_millis(500);
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
    emulator: Emulator,
    project: ProjectName,
    /// How long a question is asked again while nobody answers.
    patience: Duration,
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
        let emulator = endpoint.parse().map_err(anyhow::Error::msg)?;
        Ok(Self {
            client: Client::new(config)?,
            emulator,
            project: project.parse()?,
            patience: Duration::ZERO,
        })
    }

    /// The same client that asks again for about so long while the service is away.
    #[must_use]
    pub fn patient(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Asks the service for something, which changes nothing there.
    async fn ask<O: Operation>(
        &self,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        let attempts = 1 + self.patience.as_millis() / ASK_AGAIN.as_millis();
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        let policy = RetryPolicy { attempts, base: ASK_AGAIN, cap: ASK_AGAIN };
        self.client.send_with_retry::<O>(Some(&self.project), path, query, body, policy).await
    }

    /// Begins an expectation of what is found in a Logstore.
    pub fn expectation(&self, logstore: &str, query: impl Into<String>) -> Expectation {
        Expectation::new(self.project.as_str(), logstore, query)
    }

    /// Waits for the verdict on an expectation.
    ///
    /// # Errors
    /// The emulator does not answer, or refuses the expectation. That it does not hold is none.
    pub async fn verdict(&self, expectation: &Expectation) -> Result<Verdict> {
        self.patiently(async || self.emulator.expect(expectation).await).await
    }

    /// Waits for the verdicts on several expectations, side by side.
    ///
    /// # Errors
    /// As [`Sls::verdict`].
    pub async fn verdicts(&self, expectations: &[Expectation]) -> Result<Vec<Verdict>> {
        self.patiently(async || self.emulator.expect_all(expectations).await).await
    }

    /// Waits until so many logs or more are found.
    ///
    /// # Errors
    /// Not within `limit`, with all that the emulator knows of the reason; or as [`Sls::verdict`].
    pub async fn at_least(&self, logstore: &str, search: &str, logs: u64, limit: Duration) -> Result<u64> {
        let mut expectation = self.expectation(logstore, search);
        expectation.count = Some(Count::AtLeast { n: logs });
        expectation.timeout_ms = Some(millis(limit));
        let verdict = self.verdict(&expectation).await?;
        if !verdict.ok {
            bail!("{}", report::text(&verdict));
        }
        Ok(verdict.count)
    }

    /// Number of logs that match `search` now; 0 while the Logstore or its index does not exist.
    ///
    /// # Errors
    /// As [`Sls::verdict`].
    pub async fn count(&self, logstore: &str, search: &str) -> Result<u64> {
        let mut expectation = self.expectation(logstore, search);
        expectation.count = Some(Count::AtLeast { n: 0 });
        Ok(self.verdict(&expectation).await?.count)
    }

    /// Waits until nothing of the ledger is missing in a Logstore and nothing more comes, or `limit` is over,
    /// and holds what was received against it.
    ///
    /// # Errors
    /// As [`Sls::verdict`].
    pub async fn account(&self, logstore: &str, ledger: String, limit: Duration) -> Result<Accounting> {
        let asked = AccountAsked {
            project: self.project.to_string(),
            logstore: logstore.to_owned(),
            within_ms: Some(millis(limit)),
            stable_ms: Some(millis(STABLE_FOR)),
            listed_max: Some(LISTED_MAX),
            ..AccountAsked::default()
        };
        let ledger = Bytes::from(ledger);
        let asking = async || {
            let body = Full::new(ledger.clone()).map_err(|never| match never {}).boxed_unsync();
            self.emulator.account(&asked, body, Duration::ZERO).await
        };
        Ok(self.patiently(asking).await?.accounting)
    }

    /// Asks the emulator, again while it is away or about to go and there is patience left.
    async fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T, CallError>) -> Result<T> {
        let deadline = Instant::now() + self.patience;
        loop {
            match ask().await {
                Err(error) if error.is_passing() && Instant::now() < deadline => {}
                answer => return Ok(answer?),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
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

    /// Has the project keep what its collectors tell of themselves in a Logstore of its own.
    ///
    /// # Errors
    /// The service refuses it, or does not answer.
    pub async fn keep_collector_logs(&self, logstore: &str) -> Result<()> {
        self.create_logstore(logstore).await?;
        let types = ["logtail_alarm", "logtail_profile", "logtail_status"];
        let detail = |kind: &str| LoggingDetail { kind: kind.to_owned(), logstore: logstore.to_owned() };
        let logging = Logging {
            logging_project: self.project.to_string(),
            logging_details: types.into_iter().map(detail).collect(),
        };
        let project = Some(&self.project);
        self.client.send::<CreateLogging>(project, &NoPath {}, &NoQuery {}, &Json(logging)).await?;
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

/// Milliseconds, as many as may be waited.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(TIMEOUT_MAX_MS)
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
