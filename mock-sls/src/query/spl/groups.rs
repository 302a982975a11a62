//! The rows of a pipeline as groups of logs, for whoever consumes logs by way of one.

use jiff::tz::TimeZone;
use rusqlite::types::Value;
use sls_api::log_group::{
    Content, Log, LogGroup, LogTag, SOURCE_KEY, TAG_PREFIX, TIME_KEY, TIME_NS_KEY, TOPIC_KEY,
};

use super::{Rows, memory::Meter};
use crate::query::{source::Cancel, sql::SqlError};

impl Rows {
    /// A group for all rows in a row that agree in topic, source and tags. A field without a
    /// value is left out.
    ///
    /// # Errors
    /// A number that became too large, or groups that take too much memory.
    pub fn groups(&self, zone: &TimeZone, cancel: &Cancel) -> Result<Vec<LogGroup>, SqlError> {
        let mut groups: Vec<LogGroup> = Vec::new();
        let mut meter = Meter::of(&[], cancel);
        for row in &self.frame.rows {
            let (head, log) = self.log(row, zone, &mut meter)?;
            let same = groups.last_mut().filter(|last| {
                last.topic == head.topic && last.source == head.source && last.log_tags == head.log_tags
            });
            match same {
                Some(group) => group.logs.push(log),
                None => groups.push(LogGroup { logs: vec![log], ..head }),
            }
        }
        Ok(groups)
    }

    fn log(
        &self,
        row: &[Value],
        zone: &TimeZone,
        meter: &mut Meter<'_>,
    ) -> Result<(LogGroup, Log), SqlError> {
        let mut group = LogGroup::default();
        let mut log = Log { time: 0, contents: Vec::new(), time_ns: None };
        for (index, column) in self.frame.columns.iter().enumerate() {
            let Some(text) = self.frame.text(row, index, zone)? else { continue };
            // Unlike a row, a log has the names of its fields.
            meter.add(size_of::<Content>() as u64 + (column.name.len() + text.len()) as u64)?;
            match column.name.as_str() {
                TIME_KEY => log.time = text.parse().unwrap_or_default(),
                TIME_NS_KEY => log.time_ns = text.parse().ok(),
                TOPIC_KEY => group.topic = Some(text),
                SOURCE_KEY => group.source = Some(text),
                name => match name.strip_prefix(TAG_PREFIX) {
                    Some(tag) => group.log_tags.push(LogTag { key: tag.to_owned(), value: text }),
                    None => log.contents.push(Content::new(name.to_owned(), text)),
                },
            }
        }
        Ok((group, log))
    }
}
