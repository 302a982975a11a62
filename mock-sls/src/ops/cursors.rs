//! Reading a shard in the order of arrival: cursors and pulls.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint};
use rusqlite::Connection;
use sls_api::Json;
use sls_api::codec::{self, Compression};
use sls_api::ops::InShard;
use sls_api::ops::cursors::{
    Cursor, CursorTime, Filtered, GetCursor, GetCursorTime, PullLogs, PullLogsByLogs, PullQuery, PulledLogs,
    decode_cursor, encode_cursor,
};

use crate::error::ApiError;
use crate::query::filter::{Filter, FilterError};
use crate::query::source::{Cancel, CancelOnDrop};
use crate::route::{Call, Context, Operations};
use crate::store::blocks::{self, Pulled};
use crate::store::logs;
use crate::store::logstores::{self, ReadTarget};
use crate::store::shards;

/// Most groups in one answer. Source: API reference, PullLogs (count 0 to 1000).
const GROUPS_MAX: i64 = 1_000;
/// Groups in an answer where the caller names no count. Source: SDK defaults.
const GROUPS_DEFAULT: i64 = 100;
/// An answer takes no further group beyond this many bytes. Source: API reference (10 MB).
const PULL_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Field number of the groups in `LogGroupList`.
const LOG_GROUPS_FIELD: u32 = 1;

/// Longest part of a wrong cursor repeated in an error message, in characters.
const CURSOR_CHARS_SHOWN_MAX: usize = 100;

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(get_cursor).op(get_cursor_time).op(pull_log).op(pull_logs)
}

async fn get_cursor(call: Call<GetCursor>) -> Result<Json<Cursor>, ApiError> {
    let InShard { logstore, shard } = call.path;
    let (from, now) = (From::parse(&call.query.from)?, call.context.now);
    let position = call
        .context
        .read(move |db, project| {
            let target = logstores::read_target(db, project, &logstore, now)?;
            shards::get(db, target.id, shard)?;
            match from {
                From::Begin => logs::begin(db, target, shard),
                From::End => logs::end(db, target.id, shard),
                From::Second(second) => {
                    logs::at_or_after(db, target, shard, second.saturating_mul(NANOSECONDS_PER_SECOND))
                }
            }
        })
        .await?;
    Ok(Json(Cursor { cursor: encode_cursor(position) }))
}

/// Where a cursor is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// The oldest group.
    Begin,
    /// Behind the newest group.
    End,
    /// The first group received in or after this second since 1970.
    Second(i64),
}

impl From {
    fn parse(text: &str) -> Result<Self, ApiError> {
        match text {
            "begin" => Ok(Self::Begin),
            "end" => Ok(Self::End),
            second => second
                .parse()
                .map(Self::Second)
                .map_err(|_| ApiError::ParameterInvalid("Parameter From is not valid.".to_owned())),
        }
    }
}

/// The receive time of a cursor is in the cursor itself.
async fn get_cursor_time(call: Call<GetCursorTime>) -> Result<Json<CursorTime>, ApiError> {
    let InShard { logstore, shard } = call.path;
    let position = position(&call.query.cursor)?;
    call.context
        .read(move |db, project| {
            let id = logstores::find(db, project, &logstore)?;
            shards::get(db, id, shard)?;
            Ok(Json(CursorTime { cursor_time: position / NANOSECONDS_PER_SECOND }))
        })
        .await
}

fn position(cursor: &str) -> Result<i64, ApiError> {
    let shown = || cursor.chars().take(CURSOR_CHARS_SHOWN_MAX).collect();
    match decode_cursor(cursor) {
        Some(position) if position >= 0 => Ok(position),
        Some(_) => Err(ApiError::InvalidCursor(shown())),
        None => Err(ApiError::NoCursor(shown())),
    }
}

async fn pull_log(call: Call<PullLogs>) -> Result<PulledLogs, ApiError> {
    pull(call.context, call.path, call.query).await
}

async fn pull_logs(call: Call<PullLogsByLogs>) -> Result<PulledLogs, ApiError> {
    pull(call.context, call.path, call.query).await
}

/// One answer's worth of groups.
struct Batch {
    groups: Vec<Pulled>,
    /// Where the next pull goes on.
    next: i64,
    /// Whether that is the end of the shard.
    at_end: bool,
    /// What a query left out.
    filtered: Option<Filtered>,
}

async fn pull(context: Context, path: InShard, query: PullQuery) -> Result<PulledLogs, ApiError> {
    let (accepts, now) = (context.accepts, context.now);
    let settings = &context.app.sql;
    let from = position(&query.cursor)?;
    let to = query.end_cursor.as_deref().map(position).transpose()?;
    let count = groups_wanted(query.count)?;
    let filter = query.query.as_deref().map(|query| Filter::new(query, now, settings)).transpose()?;
    let InShard { logstore, shard } = path;
    let guard = CancelOnDrop::default();
    let cancel = guard.0.clone();
    context
        .read(move |db, project| {
            let target = logstores::read_target(db, project, &logstore, now)?;
            let mut batch = read(db, target, shard, (from, to), count)?;
            if let Some(filter) = &filter {
                leave_out(&mut batch, filter, &cancel)?;
            }
            frame(&batch, accepts)
        })
        .await
}

fn groups_wanted(count: Option<i64>) -> Result<usize, ApiError> {
    let count = count.unwrap_or(GROUPS_DEFAULT).min(GROUPS_MAX);
    usize::try_from(count).map_err(|_| ApiError::ParameterInvalid("Parameter Count is not valid.".to_owned()))
}

fn read(
    db: &Connection,
    target: ReadTarget,
    shard: u32,
    (from, to): (i64, Option<i64>),
    count: usize,
) -> Result<Batch, ApiError> {
    shards::get(db, target.id, shard)?;
    let groups = blocks::pull(db, target, shard, (from, to), count, PULL_BYTES_MAX)?;
    let end = logs::end(db, target.id, shard)?;
    let next = match groups.last() {
        Some(last) => last.cursor.saturating_add(1),
        // Whatever there is from here on has expired: nobody would ever get past it.
        None if count > 0 && to.is_none() => from.max(end),
        None => from,
    };
    let at_end = next >= end;
    Ok(Batch { groups, next, at_end, filtered: None })
}

/// Keeps the logs that a query finds, and the groups that have one. The cursors stay those of
/// what was read, so that a client goes on behind it. A pipeline can make more of a group than there was:
/// when the answer is full, the next pull goes on with the groups that are left.
fn leave_out(batch: &mut Batch, filter: &Filter, cancel: &Cancel) -> Result<(), ApiError> {
    let mut done = Filtered::default();
    let mut kept = Vec::new();
    let mut kept_bytes = 0;
    for group in std::mem::take(&mut batch.groups) {
        if kept_bytes >= PULL_BYTES_MAX {
            (batch.next, batch.at_end) = (group.cursor, false);
            break;
        }
        let found = filter.apply(&group.raw, cancel).map_err(|error| match error {
            FilterError::Damaged(error) => ApiError::Internal(error.to_string()),
            FilterError::Refused(error) => error.into(),
        })?;
        done.raw_groups += 1;
        done.raw_bytes += group.raw.len() as u64;
        done.raw_lines += found.read as u64;
        done.result_lines += found.kept as u64;
        for raw in found.groups {
            kept_bytes += raw.len();
            kept.push(Pulled { raw, ..group });
        }
    }
    batch.groups = kept;
    batch.filtered = Some(done);
    Ok(())
}

/// Frames the groups as they lie in the store: a list of messages is its members, each behind
/// its field key and length, so nothing is decoded.
fn frame(batch: &Batch, accepts: Compression) -> Result<PulledLogs, ApiError> {
    let mut raw = BytesMut::new();
    for group in &batch.groups {
        encode_key(LOG_GROUPS_FIELD, WireType::LengthDelimited, &mut raw);
        encode_varint(group.raw.len() as u64, &mut raw);
        raw.put_slice(&group.raw);
    }
    let compression = if raw.is_empty() { Compression::None } else { accepts };
    let bytes = match compression {
        Compression::None => raw.clone().freeze(),
        other => {
            let mut packed = Vec::new();
            codec::compress(&raw, other, &mut packed)
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            Bytes::from(packed)
        }
    };
    Ok(PulledLogs {
        bytes,
        raw_size: raw.len(),
        compression,
        count: batch.groups.len() as u64,
        cursor: encode_cursor(batch.next),
        // Source: JavaSDK LogTest, which wants none where there is no group.
        cursor_time: batch.groups.last().map(|_| batch.next / NANOSECONDS_PER_SECOND),
        read_last_cursor: batch.groups.last().map(|last| last.cursor),
        end_of_cursor: batch.at_end,
        filtered: batch.filtered,
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use sls_api::log_group::{Content, Log, LogGroup};

    use super::*;
    use crate::query::sql::Settings;

    #[test]
    fn a_full_answer_leaves_the_groups_behind_it_to_the_next_pull() {
        let list = format!("[{}]", ["1"; 10].join(","));
        let contents = vec![Content::new("list", list), Content::new("text", "t".repeat(1 << 20))];
        let group = LogGroup { logs: vec![Log { time: 1, contents, time_ns: None }], ..LogGroup::default() };
        let raw = Bytes::from(group.encode_to_vec());
        let groups = [5, 7, 9].map(|cursor| Pulled { cursor, raw: raw.clone() });
        let mut batch = Batch { groups: groups.to_vec(), next: 10, at_end: true, filtered: None };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let filter = Filter::new("* | expand-values -keep list as item", now, &Settings::default());
        leave_out(&mut batch, &filter.unwrap(), &Cancel::default()).unwrap();
        assert_eq!((batch.groups.len(), batch.next, batch.at_end), (1, 7, false));
        let done = batch.filtered.unwrap();
        assert_eq!((done.raw_groups, done.raw_lines, done.result_lines), (1, 1, 10));
        assert_eq!(done.raw_bytes, raw.len() as u64);
    }
}
