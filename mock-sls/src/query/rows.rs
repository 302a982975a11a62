//! A found log as a row of the answer.

use base64::prelude::{BASE64_STANDARD, Engine};
use sls_api::{
    log_group::{SOURCE_KEY, TAG_PREFIX, TIME_KEY, TIME_NS_KEY, TOPIC_KEY},
    ops::logs::Row,
};

use super::{log_view::LogView, source::Block};

/// The field that context search needs, on rows of `… | with_pack_meta`.
const PACK_META_KEY: &str = "__pack_meta__";

/// The row of a log: its fields, topic, source, tags and time, every value a text.
/// Source for the order: a recorded response, see `sls-query.md` §1.5. A name that occurs twice
/// keeps its first place and its last value.
pub fn row(log: &LogView<'_>) -> Row {
    let mut columns = Columns(Vec::with_capacity(log.contents.len() + log.tags.len() + 4));
    for (key, value) in log.contents {
        columns.set(text(key), text(value));
    }
    columns.set(TOPIC_KEY.to_owned(), text(log.topic));
    columns.set(SOURCE_KEY.to_owned(), text(log.source));
    for (key, value) in log.tags {
        columns.set(format!("{TAG_PREFIX}{}", text(key)), text(value));
    }
    columns.set(TIME_KEY.to_owned(), log.time.to_string());
    if log.time_ns != 0 {
        columns.set(TIME_NS_KEY.to_owned(), log.time_ns.to_string());
    }
    Row(columns.0)
}

/// Adds the field that leads back to the log: shard, cursor, and position in its block.
/// Source: the form is seen in SDK tests, the meaning of its parts is a guess.
pub fn add_pack_meta(row: &mut Row, block: &Block, index: usize) {
    let cursor = BASE64_STANDARD.encode(block.place.cursor.to_string());
    let meta = format!("{}|{cursor}|{}|{index}", block.place.shard, block.raw_bytes);
    row.0.push((PACK_META_KEY.to_owned(), meta));
}

struct Columns(Vec<(String, String)>);

impl Columns {
    fn set(&mut self, key: String, value: String) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }
}

/// Bytes that are no UTF-8 become U+FFFD: the answer is JSON.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
