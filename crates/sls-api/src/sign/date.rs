//! The two forms of time in signed requests.

use jiff::{Timestamp, civil, fmt::rfc2822, tz::TimeZone};

/// Form of `x-log-date` in scheme v4.
const BASIC: &str = "%Y%m%dT%H%M%SZ";

/// `Mon, 09 Nov 2015 06:11:16 GMT`.
pub(super) fn rfc1123(time: Timestamp) -> String {
    let printer = rfc2822::DateTimePrinter::new();
    // Fails only for years beyond 9999.
    printer.timestamp_to_rfc9110_string(&time).unwrap_or_default()
}

/// `20220808T032330Z`.
pub(super) fn basic(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime(BASIC).to_string()
}

/// Reads RFC 822, 1123 or 2822.
pub(super) fn parse_rfc1123(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Reads `20220808T032330Z`.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let civil = civil::DateTime::strptime(BASIC, text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_as_written() {
        let time: Timestamp = "2015-11-09T06:11:16Z".parse().unwrap();
        assert_eq!(rfc1123(time), "Mon, 09 Nov 2015 06:11:16 GMT");
        assert_eq!(parse_rfc1123("Mon, 09 Nov 2015 06:11:16 GMT"), Some(time));
        assert_eq!(basic(time), "20151109T061116Z");
        assert_eq!(parse_basic("20151109T061116Z"), Some(time));
        for bad in ["", "now", "2015-11-09", "20151109T061116"] {
            assert_eq!(parse_basic(bad), None);
            assert_eq!(parse_rfc1123(bad), None);
        }
    }
}
