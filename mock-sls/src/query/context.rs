//! Context of a log: what its writer wrote just before and just after it. Called by
//! [`crate::ops::search`].
//!
//! Writers tag a group with `__pack_id__`, `PREFIX-SEQUENCE` in hex: the prefix names what the logs
//! were read from, the sequence counts its groups. So context is the order of sequence, arrival and
//! position in the group, among groups of one prefix; no index is needed.
//! Source: document "GetContextLogs", Java SDK GetContextLogsFunctionTest.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use base64::prelude::{BASE64_STANDARD, Engine};
use sls_api::ops::logs::{ContextLogs, ContextQuery, Progress, Row};

use super::{
    QueryError,
    log_view::{DamagedGroup, GroupView, LogView},
    rows,
    source::{Block, Cancel, LogSource, Order, Place, Span},
};

/// Logs on either side. Source: document "GetContextLogs".
pub const LINES_MAX: u64 = 100;
/// How far from the log its context reaches, seconds. Source: document "Context query".
const REACH_S: i64 = 24 * 60 * 60;
/// Name of the tag that tells what a group is a part of.
const PACK_ID_TAG: &[u8] = b"__pack_id__";
/// Field with the position of a log relative to the one whose context it is.
const INDEX_NUMBER_KEY: &str = "__index_number__";

/// The context of the log that the query names.
///
/// # Errors
/// Ids that are none or lead to no log, numbers of lines out of range, unreadable logs.
pub fn context(
    query: &ContextQuery,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<ContextLogs, QueryError> {
    let lines = |asked: i64| u64::try_from(asked).ok().filter(|&asked| asked <= LINES_MAX);
    let (Some(back), Some(forward)) = (lines(query.back_lines), lines(query.forward_lines)) else {
        return Err(QueryError::ContextLines { max: LINES_MAX });
    };
    if back + forward == 0 {
        return Err(QueryError::ContextLines { max: LINES_MAX });
    }
    let pack = PackId::parse(query.pack_id.as_bytes()).ok_or(QueryError::PackInvalid)?;
    let (block, index) = place(&query.pack_meta).ok_or(QueryError::PackInvalid)?;
    let start = Position { sequence: pack.sequence, block, index };
    let time = time_of(start, &query.pack_id, source, cancel)?.ok_or(QueryError::PackInvalid)?;
    let mut found = Neighbours { start, back, forward, before: BTreeMap::new(), after: BTreeMap::new() };
    let window = time - REACH_S..time + REACH_S + 1;
    visit(
        source,
        (window.start, window.end),
        cancel,
        &|_| true,
        &mut |block, group| match PackId::of(group).filter(|id| id.prefix == pack.prefix) {
            None => Ok(ControlFlow::Continue(())),
            Some(id) => group.for_each(
                |_| true,
                |index, log| {
                    if window.contains(&i64::from(log.time)) {
                        let at = Position { sequence: id.sequence, block: block.place, index };
                        found.add(at, || row(log, block, index));
                    }
                    ControlFlow::Continue(())
                },
            ),
        },
    )?;
    Ok(found.into_reply())
}

/// What `__pack_id__` says.
struct PackId<'a> {
    prefix: &'a [u8],
    sequence: u64,
}

impl<'a> PackId<'a> {
    fn parse(id: &'a [u8]) -> Option<Self> {
        let dash = id.iter().rposition(|&byte| byte == b'-')?;
        let (prefix, sequence) = id.split_at(dash);
        let sequence = u64::from_str_radix(std::str::from_utf8(sequence.get(1..)?).ok()?, 16).ok()?;
        Some(Self { prefix, sequence })
    }

    fn of(group: &GroupView<'a>) -> Option<Self> {
        group.tags.iter().find(|(key, _)| *key == PACK_ID_TAG).and_then(|(_, id)| Self::parse(id))
    }
}

/// Block and position in it, from what [`rows::add_pack_meta`] wrote.
fn place(meta: &str) -> Option<(Place, usize)> {
    let mut parts = meta.split('|');
    let shard = parts.next()?.parse().ok()?;
    let cursor = BASE64_STANDARD.decode(parts.next()?).ok()?;
    let cursor = std::str::from_utf8(&cursor).ok()?.parse().ok()?;
    let index = parts.nth(1)?.parse().ok()?;
    parts.next().is_none().then_some((Place { cursor, shard }, index))
}

/// Where a log stands in its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    sequence: u64,
    block: Place,
    index: usize,
}

/// The time of the log at `start`, if it is there and of this pack.
fn time_of(
    start: Position,
    pack_id: &str,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<Option<i64>, QueryError> {
    let mut time = None;
    visit(source, (0, i64::MAX), cancel, &|block| block.place == start.block, &mut |_, group| {
        if group.tags.contains(&(PACK_ID_TAG, pack_id.as_bytes())) {
            let walked = group.for_each(
                |_| true,
                |index, log| match index == start.index {
                    true => ControlFlow::Break(i64::from(log.time)),
                    false => ControlFlow::Continue(()),
                },
            );
            time = walked?.break_value();
        }
        Ok(ControlFlow::Break(()))
    })?;
    Ok(time)
}

/// Whether to go on after a group.
type Visited = Result<ControlFlow<()>, DamagedGroup>;

/// Shows the groups of a span that are wanted until `visit` breaks or fails, or nobody waits any more.
fn visit(
    source: &mut dyn LogSource,
    (from, to): (i64, i64),
    cancel: &Cancel,
    wanted: &dyn Fn(&Block) -> bool,
    visit: &mut dyn FnMut(&Block, &GroupView<'_>) -> Visited,
) -> Result<(), QueryError> {
    let mut failed = None;
    let span = Span { from, to, topic: None, order: Order::OldestFirst };
    source
        .scan(span, &mut |block, content| {
            if cancel.is_cancelled() {
                failed = Some(QueryError::Cancelled);
                return ControlFlow::Break(());
            }
            if !wanted(block) {
                return ControlFlow::Continue(());
            }
            let visited = content.group().and_then(|group| {
                let visited = GroupView::parse(group).and_then(|group| visit(block, &group));
                visited.map_err(|damaged| damaged.to_string())
            });
            visited.unwrap_or_else(|error| {
                failed = Some(QueryError::Source(error));
                ControlFlow::Break(())
            })
        })
        .map_err(QueryError::Source)?;
    failed.map_or(Ok(()), Err)
}

fn row(log: &LogView<'_>, block: &Block, index: usize) -> Row {
    let mut row = rows::row(log);
    rows::add_pack_meta(&mut row, block, index);
    row
}

/// The nearest logs on both sides, no more than asked for.
struct Neighbours {
    start: Position,
    back: u64,
    forward: u64,
    before: BTreeMap<Position, Row>,
    /// With the log itself.
    after: BTreeMap<Position, Row>,
}

impl Neighbours {
    fn add(&mut self, at: Position, row: impl FnOnce() -> Row) {
        if at < self.start {
            let far = self.before.len() as u64 >= self.back;
            if far && self.before.first_key_value().is_none_or(|(first, _)| at < *first) {
                return;
            }
            self.before.insert(at, row());
            if far {
                self.before.pop_first();
            }
        } else {
            let far = self.after.len() as u64 > self.forward;
            if far && self.after.last_key_value().is_none_or(|(last, _)| at > *last) {
                return;
            }
            self.after.insert(at, row());
            if far {
                self.after.pop_last();
            }
        }
    }

    /// The log in its context; nothing at all when it has none in the asked directions.
    fn into_reply(self) -> ContextLogs {
        let back = self.before.len() as i64;
        let forward = self.after.len() as i64 - 1;
        if back + forward <= 0 {
            return ContextLogs::default();
        }
        let rows = self.before.into_values().chain(self.after.into_values());
        let logs = (-back..).zip(rows).map(|(number, mut row)| {
            row.0.insert(0, (INDEX_NUMBER_KEY.to_owned(), number.to_string()));
            row
        });
        ContextLogs {
            progress: Progress::Complete,
            total_lines: back + forward + 1,
            back_lines: back,
            forward_lines: forward,
            logs: logs.collect(),
        }
    }
}
