//! Sends diagnostic logs, once: what is not taken is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sls_api::NoQuery;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::ops::InLogstore;
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_client::{Client, ClientError, Retry};
use tokio::time::timeout;
use tracing::debug;

use super::places::Topic;
use super::rows::Row;
use crate::app_info::VERSION;
use crate::engine::status::Board;
use crate::pipeline::Destination;
use crate::ship::Clients;
use crate::tags::Host;

/// Longest time for one request. Source: own choice; nothing waits for it but other diagnostic logs.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// Logs of one request; those of a profile have some 600 bytes. Source: own choice.
const ROWS_MAX: usize = 500;

/// How sending went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    Yes,
    /// Not now: network, server, quota.
    Later,
    /// The Logstore is not there, or does not take it.
    Never,
}

/// See the module.
pub struct Post {
    host: Host,
    clients: Arc<dyn Clients>,
}

impl Post {
    pub fn new(host: Host, clients: Arc<dyn Clients>) -> Self {
        Self { host, clients }
    }

    /// Sends `rows`, and counts what became of them on `board`.
    pub async fn send(&self, to: &Destination, topic: Topic, rows: Vec<Row>, board: &Board) -> Sent {
        let mut all = Sent::Yes;
        for rows in rows.chunks(ROWS_MAX) {
            let (sent, reason) = match self.send_group(to, topic, rows).await {
                Ok(()) => (Sent::Yes, String::new()),
                Err(failure) => failure,
            };
            let count = match sent {
                Sent::Yes => &board.gauges.diagnostics_sent,
                Sent::Later | Sent::Never => {
                    let (project, logstore) = (&to.project, &to.logstore);
                    debug!(%project, %logstore, topic = topic.name(), reason, "diagnostic logs are not taken");
                    all = sent;
                    &board.gauges.diagnostics_dropped
                }
            };
            count.fetch_add(rows.len() as u64, Ordering::Relaxed);
        }
        all
    }

    async fn send_group(&self, to: &Destination, topic: Topic, rows: &[Row]) -> Result<(), (Sent, String)> {
        let client = self.clients.client(to).map_err(|reason| (Sent::Never, reason))?;
        let body = CompressedLogs::from_group(&self.group(topic, rows), to.compression)
            .map_err(|error| (Sent::Never, error.to_string()))?;
        let sent = timeout(REQUEST_TIME_MAX, put(&client, to, &body)).await;
        let error = match sent {
            Ok(Ok(())) => return Ok(()),
            Err(_) => return Err((Sent::Later, "no answer in time".to_owned())),
            Ok(Err(error)) => error,
        };
        let sent = match error.class() {
            Retry::Later | Retry::Quota | Retry::ClockSkew { .. } => Sent::Later,
            Retry::NotExist | Retry::Auth | Retry::Never => Sent::Never,
        };
        Err((sent, error.to_string()))
    }

    fn group(&self, topic: Topic, rows: &[Row]) -> LogGroup {
        let second = u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let Host { source_ip, hostname, user_defined_id, env_tags, file_tags, machine_uuid } = &self.host;
        let log = |row: &Row| {
            let own = row.iter().map(|(key, value)| Content::new(*key, value.clone()));
            let everywhere = [("os", std::env::consts::OS), ("source_ip", source_ip), ("version", VERSION)];
            let missing = everywhere.into_iter().filter(|(key, _)| row.iter().all(|(own, _)| own != key));
            let contents =
                own.chain(missing.map(|(key, value)| Content::new(key, value.to_owned()))).collect();
            Log { time: second, contents, time_ns: None }
        };
        let tag = |(key, value): (&str, &str)| LogTag { key: key.to_owned(), value: value.to_owned() };
        let given = env_tags.iter().chain(file_tags).map(|(key, value)| (key.as_str(), value.as_str()));
        let ids = [("__hostname__", hostname.as_str()), ("__user_defined_id__", user_defined_id)];
        let ids = ids.into_iter().filter(|(_, value)| !value.is_empty());
        LogGroup {
            logs: rows.iter().map(log).collect(),
            topic: Some(topic.name().to_owned()),
            source: Some(source_ip.clone()),
            machine_uuid: Some(machine_uuid.clone()).filter(|uuid| !uuid.is_empty()),
            log_tags: ids.chain(given).map(tag).collect(),
            category: None,
        }
    }
}

/// As the data path, a clock that differs is corrected; it is one client.
async fn put(client: &Client, to: &Destination, body: &CompressedLogs) -> Result<(), ClientError> {
    let path = InLogstore { logstore: to.logstore.clone() };
    let send = || client.send::<PutLogs>(Some(&to.project), &path, &NoQuery {}, body);
    match send().await {
        Err(error) => match error.class() {
            Retry::ClockSkew { server_time: Some(server_time) } => {
                client.correct_clock(server_time);
                send().await
            }
            _ => Err(error),
        },
        Ok(()) => Ok(()),
    }
}
