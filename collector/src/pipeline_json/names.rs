//! The names of a log's own fields: no two may be the same, or a query sees only one of them.

use super::Findings;
use super::processors::{Processing, made_by, raw_log_key};

/// Holds the keys of the parser, of the events that it does not match, of the source and of the offset
/// against each other. That the parser's differ among themselves is checked where they are read.
pub fn check(processing: &Processing, offset_key: Option<&str>, findings: &mut Findings) {
    let Processing { parse, unmatched, raw_key, parser, .. } = processing;
    let made = made_by(parse);
    let mut taken: Vec<(&str, &str)> = Vec::new();
    let mut check = |key: &str, taken: &[(&str, &str)], place: String, what: &str| {
        if let Some((_, owner)) = taken.iter().find(|(name, _)| *name == key) {
            findings.problem(place, format!("{key:?} is {owner} too; give {what} a name of its own"));
        }
    };
    taken.extend(raw_log_key(parse, *unmatched).map(|key| (key, "the key of events that do not match")));
    for (index, key) in made.iter().enumerate() {
        check(key, &taken, format!("{parser}.Keys[{index}]"), "the group");
    }
    let owner = if parser.is_empty() { "the key of the event" } else { "one of Keys" };
    taken.extend(made.iter().map(|key| (key.as_str(), owner)));
    if let Some(key) = raw_key {
        check(key, &taken, format!("{parser}.RenamedSourceKey"), "the source");
        taken.push((key, "the key of the source"));
    }
    if let Some(key) = offset_key {
        check(key, &taken, "inputs[0].FileOffsetKey".to_owned(), "the offset");
    }
}
