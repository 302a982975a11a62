//! Names of fields that a parser makes.

use std::collections::HashSet;

use super::Report;

/// Longest name in bytes. Source: data model document.
pub(super) const KEY_BYTES_MAX: usize = 128;
/// Names that the service uses itself. Source: data model document.
const RESERVED: [&str; 6] =
    ["__time__", "__source__", "__topic__", "__partition_time__", "_extract_others_", "__extract_others__"];

/// `dropped` names what is not sent, and may stand more than once.
pub(super) fn check(keys: &[&str], dropped: Option<&str>, report: &mut Report) {
    let mut seen = HashSet::new();
    for (n, key) in keys.iter().enumerate() {
        let field = format!("key[{n}]");
        let is_twice = !seen.insert(*key) && Some(*key) != dropped;
        if key.trim().is_empty() {
            report.error(field, "is an empty name: name the field");
        } else if key.len() > KEY_BYTES_MAX {
            report.error(field, format!("is {} bytes long: use at most {KEY_BYTES_MAX}", key.len()));
        } else if is_twice {
            report.error(
                field,
                format!("the name {key:?} is there twice: queries see only one of them; use another"),
            );
        } else if key.contains(['"', '\'', '`', '“', '”']) {
            report.warning(
                field,
                format!(
                    "the name {key:?} contains a quotation mark: one was probably lost in the list, and \
                     perhaps letters with it; correct the name"
                ),
            );
        } else if key.contains(char::is_whitespace) || key.contains(char::is_control) {
            report.warning(field, format!("the name {key:?} contains a blank: remove it, or write '_'"));
        } else if key.contains(',') {
            report.warning(field, format!("the name {key:?} contains a comma: write each name for itself"));
        } else if RESERVED.contains(key) {
            report.warning(field, format!("the name {key:?} is reserved by the service: use another"));
        }
    }
}
