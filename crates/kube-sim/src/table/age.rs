//! Durations as kubectl prints them.

use jiff::Timestamp;

/// The time since an RFC 3339 timestamp, or `<unknown>`.
pub fn since(text: &str, now: Timestamp) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => human(now.as_second() - at.as_second()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// The time between two RFC 3339 timestamps, if both are there.
pub fn between(start: &str, end: &str) -> Option<String> {
    let (start, end) = (start.parse::<Timestamp>().ok()?, end.parse::<Timestamp>().ok()?);
    Some(human(end.as_second() - start.as_second()))
}

/// Seconds in at most two units, coarser the longer it is. Source: the
/// thresholds of apimachinery's duration package, by observation.
pub fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        s if s < -1 => "<invalid>".to_owned(),
        s if s < 0 => "0s".to_owned(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(s / MINUTE, "m", s % MINUTE, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two(s / HOUR, "h", s % HOUR / MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two(s / DAY, "d", s % DAY / HOUR, "h"),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s if s < 8 * YEAR => two(s / YEAR, "y", s % YEAR / DAY, "d"),
        s => format!("{}y", s / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn ages_have_at_most_two_units() {
        let found: Vec<String> =
            [0, 59, 119, 120, 125, 3600, 10_800, 12_000, 90_000, 200_000, 800_000, 100_000_000]
                .map(human)
                .into();
        assert_eq!(
            found,
            ["0s", "59s", "119s", "2m", "2m5s", "60m", "3h", "3h20m", "25h", "2d7h", "9d", "3y62d"]
        );
    }
}
