//! Writing logs, in the three spellings of the SDKs. Queries are in [`super::search`].

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rusqlite::Transaction;
use sls_api::log_group::LogGroup;
use sls_api::names::LogstoreName;
use sls_api::operation::DecodeError;
use sls_api::ops::logs::{CompressedLogs, PutLogs, PutLogsByKey, PutLogsToLogstore};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::error::ApiError;
use crate::front::BODY_BYTES_MAX;
use crate::route::{Call, Context, Operations};
use crate::store::logs::{self, Block};
use crate::store::logstores::{self, WriteTarget};
use crate::store::projects::ProjectId;
use crate::store::{sequences, shards};

/// Body size from which unpacking is moved off the threads that serve connections, in bytes
/// (own choice: about a millisecond of work).
const LARGE_BODY_BYTES: usize = 256 * 1024;

/// Large bodies that are unpacked at a time: each may take a hundred megabytes meanwhile (own
/// choice).
static UNPACKING: Semaphore = Semaphore::const_new(4);

/// Longest name of a field, in bytes. Source: limits document.
const KEY_BYTES_MAX: usize = 128;
/// Longest value of a field, in bytes. Source: limits document; that longer ones are refused and
/// not cut is a guess.
const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Longest topic and longest source, in bytes. Source: document "Data model".
const TOPIC_BYTES_MAX: usize = 128;
/// How old and how far in the future a log may be, in seconds, where that is checked. Source: API
/// reference, PutLogs.
const AGE_SECONDS_MAX: i64 = 7 * 24 * 3_600;
const FUTURE_SECONDS_MAX: i64 = 15 * 60;

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_or(bad_body, put).op_or(bad_body, put_by_key).op_or(bad_body, put_to_logstore)
}

/// The error of a body of logs that cannot be read.
pub(super) fn bad_body(error: DecodeError) -> ApiError {
    match error {
        DecodeError::Json(error) => {
            ApiError::PostBodyInvalid(format!("The body is not valid json string: {error}"))
        }
        other => other.into(),
    }
}

/// Which shard takes the logs.
pub(super) enum Route {
    /// Whichever comes next.
    Turn(u64),
    /// The owner of this key; with a sequence number if the writer counts.
    Key(String, Option<i64>),
}

async fn put(call: Call<PutLogs>) -> Result<(), ApiError> {
    let turn = next_turn(&call.context);
    append(call.context, call.path.logstore, call.body, turn).await
}

async fn put_to_logstore(call: Call<PutLogsToLogstore>) -> Result<(), ApiError> {
    let turn = next_turn(&call.context);
    append(call.context, call.path.logstore, call.body, turn).await
}

async fn put_by_key(call: Call<PutLogsByKey>) -> Result<(), ApiError> {
    let route = Route::Key(shards::parse_key(&call.query.key)?, call.query.seqid);
    append(call.context, call.path.logstore, call.body, route).await
}

pub(super) fn next_turn(context: &Context) -> Route {
    Route::Turn(context.app.put_turn.fetch_add(1, Ordering::Relaxed))
}

/// Stores every group of the body or none. The answer goes out after the commit, so a query
/// sent after it finds the logs.
async fn append(
    context: Context,
    name: LogstoreName,
    body: CompressedLogs,
    route: Route,
) -> Result<(), ApiError> {
    let second = context.now.as_second();
    let times = context.app.check_log_time.then(|| second - AGE_SECONDS_MAX..=second + FUTURE_SECONDS_MAX);
    let size = body.raw_size.max(body.bytes.len());
    let read = move || packed(&body.log_groups(BODY_BYTES_MAX).map_err(bad_body)?, &times);
    let logs = Incoming::new(&context, name, route, unpacked(size, read).await?);
    context
        .write(move |tx, project| {
            let target = logstores::write_target(tx, project, &logs.name)?;
            logs.store(tx, project, target)
        })
        .await
}

/// Logs that were read and found good, on their way to the store.
pub(super) struct Incoming {
    app: Arc<App>,
    pub(super) name: LogstoreName,
    route: Route,
    blocks: Vec<Block>,
    client_ip: IpAddr,
    now: Timestamp,
}

impl Incoming {
    pub(super) fn new(context: &Context, name: LogstoreName, route: Route, blocks: Vec<Block>) -> Self {
        let app = Arc::clone(&context.app);
        Self { app, name, route, blocks, client_ip: context.client_ip, now: context.now }
    }

    /// Adds them to the Logstore, if its quotas and the writer's sequence number allow it.
    pub(super) fn store(
        self,
        tx: &Transaction<'_>,
        project: ProjectId,
        target: WriteTarget,
    ) -> Result<(), ApiError> {
        let shard = match &self.route {
            Route::Turn(turn) => shards::of_turn(tx, target.id, *turn)?,
            Route::Key(key, _) => shards::of_key(tx, target.id, key)?,
        };
        let shard = shard.ok_or(ApiError::LogStoreWithoutShard(self.name))?;
        if let Route::Key(key, Some(number)) = &self.route {
            sequences::advance(tx, target.id, key, *number, self.now)?;
        }
        // After all that may refuse: what is not written costs no quota.
        let raw_bytes = self.blocks.iter().map(|block| block.raw_bytes() as u64).sum();
        self.app.write_quotas.spend(project, (target.id, shard), raw_bytes, self.now)?;
        for block in &self.blocks {
            logs::append(tx, target, shard, block, self.client_ip, self.now)?;
        }
        Ok(())
    }
}

/// Unix seconds that a log may have; none for any.
type Times = Option<RangeInclusive<i64>>;

/// Runs `read` on a body of so many bytes: a large one elsewhere, and few at a time.
pub(super) async fn unpacked<F>(bytes: usize, read: F) -> Result<Vec<Block>, ApiError>
where
    F: FnOnce() -> Result<Vec<Block>, ApiError> + Send + 'static,
{
    if bytes < LARGE_BODY_BYTES {
        return read();
    }
    let _turn = UNPACKING.acquire().await.map_err(|_| ApiError::ServerBusy)?;
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| ApiError::Internal("unpacking a body panicked".to_owned()))?
}

/// The groups as the store keeps them, if they are within the limits; empty ones are left out.
pub(super) fn packed(groups: &[LogGroup], times: &Times) -> Result<Vec<Block>, ApiError> {
    for group in groups {
        check_keys(group)?;
        check_lengths(group)?;
        check_nanoseconds(group)?;
        check_times(group, times)?;
    }
    groups.iter().filter_map(|group| Block::pack(group).transpose()).collect()
}

/// Only length and emptiness: real data has names of every alphabet. Source: limits document.
fn check_keys(group: &LogGroup) -> Result<(), ApiError> {
    let keys = group.logs.iter().flat_map(|log| &log.contents).map(|content| &content.key);
    for key in keys {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(ApiError::InvalidKey(key.chars().take(KEY_BYTES_MAX).collect()));
        }
    }
    Ok(())
}

/// Nanoseconds beyond a second would be stored but never found again.
fn check_nanoseconds(group: &LogGroup) -> Result<(), ApiError> {
    let beyond = |nanoseconds: &u32| *nanoseconds >= NANOSECONDS_PER_SECOND;
    match group.logs.iter().filter_map(|log| log.time_ns).find(beyond) {
        None => Ok(()),
        Some(nanoseconds) => Err(ApiError::InvalidTimestamp(format!(
            "Time_ns of a log must be 0 to 999999999 nanoseconds, not {nanoseconds}"
        ))),
    }
}

fn check_lengths(group: &LogGroup) -> Result<(), ApiError> {
    let refuse = |what: &str, bytes: usize, max: usize| {
        Err(ApiError::PostBodyInvalid(format!("{what} has {bytes} bytes, at most {max} are accepted")))
    };
    for (what, text) in [("The topic", &group.topic), ("The source", &group.source)] {
        let bytes = text.as_ref().map_or(0, String::len);
        if bytes > TOPIC_BYTES_MAX {
            return refuse(what, bytes, TOPIC_BYTES_MAX);
        }
    }
    let mut contents = group.logs.iter().flat_map(|log| &log.contents);
    match contents.find(|content| content.value.len() > VALUE_BYTES_MAX) {
        Some(long) => refuse(&format!("The value of {:?}", long.key), long.value.len(), VALUE_BYTES_MAX),
        None => Ok(()),
    }
}

fn check_times(group: &LogGroup, times: &Times) -> Result<(), ApiError> {
    let Some(times) = times else { return Ok(()) };
    if group.logs.iter().all(|log| times.contains(&i64::from(log.time))) {
        return Ok(());
    }
    Err(ApiError::PostBodyInvalid("The post data time is out of range".to_owned()))
}
