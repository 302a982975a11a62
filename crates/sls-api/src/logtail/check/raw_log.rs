//! The text of an event, sent beside its fields or instead of them: it needs a name that no field has, or a query
//! sees only one of the two. Collectors of ours refuse such a config.

use super::keys::KEY_BYTES_MAX;
use super::{Known, Report, filter, reported};
use crate::logtail::fields::Fields;
use crate::logtail::translate::{RAW_KEY, SOURCE_KEY, UNPARSED_KEY};

pub(super) fn check(fields: Known<'_>, report: &mut Report) {
    let keeps_unmatched = fields.flag("discardUnmatch") == Some(false);
    // What JSON and apsara events have beside this goes before the text.
    let taken = filter::parsed_keys(fields)
        .unwrap_or_else(|| keeps_unmatched.then_some(UNPARSED_KEY).into_iter().collect());
    if taken.iter().filter(|key| **key == UNPARSED_KEY).count() > 1 {
        let keys = fields.texts("key").unwrap_or_default();
        let n = keys.iter().position(|key| *key == UNPARSED_KEY).unwrap_or_default();
        report.error(
            format!("key[{n}]"),
            format!(
                "{UNPARSED_KEY:?} is the field of lines that do not match, which discardUnmatch: false keeps: use \
                 another"
            ),
        );
    }
    if fields.flag("enableRawLog") != Some(true) {
        return;
    }
    let advanced = reported(fields.0.object("advanced"));
    let tag =
        advanced.and_then(|advanced| reported(Fields::inside(advanced, "advanced.").text("raw_log_tag")));
    let key = match tag {
        None => RAW_KEY,
        Some("") => SOURCE_KEY,
        Some(tag) => tag,
    };
    if taken.contains(&key) {
        report.error(
            "advanced.raw_log_tag",
            format!(
                "the text of an event would be sent as {key:?}, which is another field's name: give it one of its own"
            ),
        );
    } else if key.len() > KEY_BYTES_MAX {
        let message = format!("is {} bytes long: use at most {KEY_BYTES_MAX}", key.len());
        report.error("advanced.raw_log_tag", message);
    }
}
