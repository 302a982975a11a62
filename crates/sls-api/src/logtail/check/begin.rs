//! The begin regex of multi-line logs.

use super::{Known, Report};
use crate::logtail::regex_shape::{self, capture_groups, longest_match};

pub(super) fn check(fields: Known<'_>, report: &mut Report) {
    let Some(regex) = fields.some_text("logBeginRegex") else {
        return;
    };
    if let Err(e) = capture_groups(regex) {
        report.error("logBeginRegex", e.to_string());
        return;
    }
    if regex_shape::ends_in_stray_blank(regex) {
        report.error(
            "logBeginRegex",
            format!(
                "{}; as it is almost no line matches as a whole, and all lines become one giant record",
                regex_shape::stray_blank(regex).unwrap_or_default()
            ),
        );
    } else if let Some(message) = regex_shape::stray_blank(regex) {
        report.warning("logBeginRegex", message);
    } else if let Some(bytes) = longest_match(regex) {
        report.warning(
            "logBeginRegex",
            format!(
                "must match the whole first line of a record, but matches at most {bytes} bytes: append .* \
                 if lines go on"
            ),
        );
    }
}
