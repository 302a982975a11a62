//! The names of a log's own fields: no two may be the same, or a query sees only one of them; and none may be
//! longer than the server takes, or it refuses every group.

use super::Findings;
use super::processors::Processing;
use crate::parse::NAME_BYTES_MAX;
use crate::pipeline::{Parse, TimeRule};

/// Holds the keys of the parser, of the events that it does not match, of the source, of the precise time and
/// of the offset against each other. That the parser's differ among themselves is checked where they are read. Fields
/// that an event names itself go before what is added to them: see `shape`.
pub fn check(processing: &Processing, offset_key: Option<&str>, findings: &mut Findings) {
    let Processing { parsing, time, .. } = processing;
    let path = &parsing.path;
    let mut taken: Vec<(&str, &str)> = Vec::new();
    let mut check = |key: &str, taken: &[(&str, &str)], place: String, what: &str| {
        if let Some((_, owner)) = taken.iter().find(|(name, _)| *name == key) {
            findings.problem(place, format!("{key:?} is {owner} too; give {what} a name of its own"));
        } else if key.len() > NAME_BYTES_MAX {
            let message =
                format!("has {} bytes, at most {NAME_BYTES_MAX}; give {what} a shorter name", key.len());
            findings.problem(place, message);
        }
    };
    taken.extend(parsing.raw_log_key().map(|key| (key, "the key of events that do not match")));
    let owner = if path.is_empty() { "the key of the event" } else { "one of Keys" };
    let what = if matches!(parsing.parse, Parse::Delimiter(_)) { "the column" } else { "the group" };
    for (index, key) in parsing.named() {
        check(key, &taken, format!("{path}.Keys[{index}]"), what);
    }
    taken.extend(parsing.named().map(|(_, key)| (key, owner)));
    if let Some(key) = &parsing.raw_key {
        check(key, &taken, format!("{path}.RenamedSourceKey"), "the source");
        taken.push((key, "the key of the source"));
    }
    if let TimeRule::Field { precise: Some(precise), .. } = time {
        check(&precise.key, &taken, processing.time_path.clone() + ".PreciseTimestampKey", "the time");
        taken.push((&precise.key, "the key of the precise time"));
    }
    if let Some(key) = offset_key {
        check(key, &taken, "inputs[0].FileOffsetKey".to_owned(), "the offset");
    }
}
