//! Writing logs, in the three spellings of the SDKs. Queries are in [`super::search`].

mod inspect;
mod shape;

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rusqlite::Transaction;
use sls_api::names::LogstoreName;
use sls_api::operation::DecodeError;
use sls_api::ops::logs::{CompressedLogs, EncodedGroup, PutLogs, PutLogsByKey, PutLogsToLogstore};
use sls_expect::journal::Wrote;
use tokio::sync::Semaphore;

use inspect::Times;
pub(crate) use inspect::inspect;

use crate::app::App;
use crate::arrivals;
use crate::error::ApiError;
use crate::front::BODY_BYTES_MAX;
use crate::route::{Call, Context, Operations};
use crate::store::logs::{self, Block};
use crate::store::logstores::{self, WriteTarget};
use crate::store::projects::ProjectId;
use crate::store::{sequences, shards};

/// Body size from which unpacking is moved off the threads that serve connections, in bytes
/// (own choice: about a millisecond of work).
const LARGE_BODY_BYTES: usize = 1024 * 1024;

/// Bytes that a thread keeps to unpack the next body into (own choice: above what collectors send).
const SCRATCH_BYTES_KEPT: usize = 1024 * 1024;

/// Large bodies that are unpacked at a time: each may take a hundred megabytes meanwhile (own
/// choice).
static UNPACKING: Semaphore = Semaphore::const_new(4);

/// How old and how far in the future a log may be, in seconds, where that is checked. Source: API
/// reference, PutLogs.
const AGE_SECONDS_MAX: i64 = 7 * 24 * 3_600;
const FUTURE_SECONDS_MAX: i64 = 15 * 60;

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
    let read = move || blocks(&body, &times);
    let logs = Incoming::new(&context, name, route, unpacked(size, read).await?);
    context
        .write(move |tx, project| {
            let target = logstores::write_target(tx, project, &logs.name)?;
            logs.store(tx, project, target)
        })
        .await
        .map(drop)
}

/// Logs that were read and found good, on their way to the store.
pub(super) struct Incoming {
    app: Arc<App>,
    pub(super) name: LogstoreName,
    route: Route,
    blocks: Vec<Block>,
    client_ip: IpAddr,
    now: Timestamp,
    change: Change,
}

/// Kept until the write is committed, also where nobody waits for that any more.
type Change = Option<Arc<arrivals::Change>>;

impl Incoming {
    pub(super) fn new(context: &Context, name: LogstoreName, route: Route, blocks: Vec<Block>) -> Self {
        let app = Arc::clone(&context.app);
        let first = blocks.first().map(|block| block.topic().to_owned());
        // Set once: a request has one body.
        let _ = context.writing.set(Wrote {
            groups: blocks.len() as u64,
            logs: blocks.iter().map(|block| block.log_count() as u64).sum(),
            raw_bytes: blocks.iter().map(|block| block.raw_bytes() as u64).sum(),
            topic: first.unwrap_or_default(),
        });
        Self {
            app,
            name,
            route,
            blocks,
            client_ip: context.client_ip,
            now: context.now,
            change: context.change.clone(),
        }
    }

    /// Adds them to the Logstore, if its quotas and the writer's sequence number allow it. What is returned must
    /// live until the commit: it wakes those that wait for the logs.
    pub(super) fn store(
        self,
        tx: &Transaction<'_>,
        project: ProjectId,
        target: WriteTarget,
    ) -> Result<Change, ApiError> {
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
            logs::append(tx, &self.app.store.packs, target, shard, block, self.client_ip, self.now)?;
        }
        Ok(self.change)
    }
}

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

thread_local! {
    /// Where bodies are unpacked to be looked at.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The groups of the body as the store keeps them, if they are within the limits; empty ones are left out.
fn blocks(body: &CompressedLogs, times: &Times) -> Result<Vec<Block>, ApiError> {
    let mut blocks = Vec::new();
    SCRATCH.with_borrow_mut(|scratch| {
        let read = body.each_group(BODY_BYTES_MAX, scratch, |group| {
            blocks.extend(block(group, times)?);
            Ok::<_, Refused>(())
        });
        if scratch.capacity() > SCRATCH_BYTES_KEPT {
            *scratch = Vec::new();
        }
        read
    })?;
    Ok(blocks)
}

/// A group as the store keeps it, if it is within the limits; nothing if it is empty.
pub(super) fn block(group: EncodedGroup<'_>, times: &Times) -> Result<Option<Block>, ApiError> {
    inspect(group.raw, times)?.map(|selectors| Block::new(group, selectors)).transpose()
}

/// Why a body of logs is not taken: it cannot be read, or what is in it is not allowed.
struct Refused(ApiError);

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Self(bad_body(error))
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<Refused> for ApiError {
    fn from(Refused(error): Refused) -> Self {
        error
    }
}
