//! Which time a query is about: a length before now, or from one moment to another.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::console::problem::Problem;
use crate::console::visit::Visit;

/// Lengths to choose from: name in links, seconds, English, Chinese.
pub const LENGTHS: [(&str, i64, &str, &str); 8] = [
    ("5m", 300, "5 minutes", "5 分钟"),
    ("15m", 900, "15 minutes", "15 分钟"),
    ("1h", 3_600, "1 hour", "1 小时"),
    ("4h", 14_400, "4 hours", "4 小时"),
    ("1d", 86_400, "1 day", "1 天"),
    ("7d", 604_800, "7 days", "7 天"),
    ("30d", 2_592_000, "30 days", "30 天"),
    ("90d", 7_776_000, "90 days", "90 天"),
];
/// The length unless another is chosen, as in the service's console.
const LENGTH_CHOSEN: usize = 1;
/// Second behind the last that a log can have.
const TIMES_END: i64 = 1 << 32;

/// A time range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// So long before now: a place in [`LENGTHS`].
    Last(usize),
    /// Since midnight.
    Today,
    /// From the midnight before that on.
    Yesterday,
    /// Any time.
    All,
    /// From one second to another, which is not part of it.
    Fixed(i64, i64),
}

impl Default for Range {
    fn default() -> Self {
        Self::Last(LENGTH_CHOSEN)
    }
}

impl Range {
    /// The range of this name, with the moments that a fixed one has.
    pub fn named(name: &str, moments: (&str, &str), zone: &TimeZone) -> Result<Self, Problem> {
        match name {
            "" => Ok(Self::default()),
            "today" => Ok(Self::Today),
            "yesterday" => Ok(Self::Yesterday),
            "all" => Ok(Self::All),
            "fixed" => Ok(Self::Fixed(second(moments.0, zone)?, second(moments.1, zone)?)),
            _ => LENGTHS.iter().position(|length| length.0 == name).map(Self::Last).ok_or_else(|| {
                Problem::bad(format!("range: {name:?} is none of 5m, 15m, 1h, 4h, 1d, 7d, 30d, 90d, today, yesterday, all, fixed"))
            }),
        }
    }

    /// `FROM-TO` in seconds, as the bars of a histogram send it.
    pub fn zoomed(text: &str) -> Result<Self, Problem> {
        let parsed = text.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to) =
            parsed.ok_or_else(|| Problem::bad(format!("zoom: {text:?} is not FROM-TO in seconds")))?;
        Ok(Self::Fixed(from, to))
    }

    /// Its name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last(length) => LENGTHS.get(length).map_or("", |length| length.0),
            Self::Today => "today",
            Self::Yesterday => "yesterday",
            Self::All => "all",
            Self::Fixed(..) => "fixed",
        }
    }

    /// The seconds it covers, the last not included. The present second is part of what ends now.
    pub fn seconds(self, now: Timestamp, zone: &TimeZone) -> (i64, i64) {
        let end = now.as_second() + 1;
        match self {
            Self::Last(length) => (end - LENGTHS.get(length).map_or(0, |length| length.1), end),
            Self::Today => (midnight(now, zone, 0), end),
            Self::Yesterday => (midnight(now, zone, 1), midnight(now, zone, 0)),
            Self::All => (0, TIMES_END),
            Self::Fixed(from, to) => (from, to),
        }
    }

    /// All names with their texts.
    pub fn choices(visit: &Visit) -> Vec<(&'static str, &'static str)> {
        let lengths = LENGTHS.iter().map(|(name, _, english, chinese)| (*name, visit.t(*english, *chinese)));
        let others = [
            ("today", visit.t("Today", "今天")),
            ("yesterday", visit.t("Yesterday", "昨天")),
            ("all", visit.t("All time", "全部时间")),
            ("fixed", visit.t("From … to …", "自定义")),
        ];
        lengths.chain(others).collect()
    }
}

/// The beginning of the day so many days ago.
fn midnight(now: Timestamp, zone: &TimeZone, days: i8) -> i64 {
    let mut date = now.to_zoned(zone.clone()).date();
    for _ in 0..days {
        date = date.yesterday().unwrap_or(date);
    }
    date.to_zoned(zone.clone()).map_or(0, |midnight| midnight.timestamp().as_second())
}

/// A moment in seconds since 1970, or as a date and time of the zone.
fn second(text: &str, zone: &TimeZone) -> Result<i64, Problem> {
    if let Ok(second) = text.parse() {
        return Ok(second);
    }
    let wrong =
        || Problem::bad(format!("{text:?} is no time: give seconds since 1970 or 2026-01-31T09:05:00"));
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_second());
    }
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    Ok(local.to_zoned(zone.clone()).map_err(|_| wrong())?.timestamp().as_second())
}

/// A second as the value of a field for date and time.
pub fn field_value(second: i64, zone: &TimeZone) -> String {
    let moment = Timestamp::from_second(second).unwrap_or_default();
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(8))
    }

    #[test]
    fn names_lead_back_to_their_ranges() {
        let now: Timestamp = "2026-03-01T20:00:05Z".parse().unwrap();
        for (name, (from, to)) in [
            ("", (900, 0)),
            ("7d", (604_800, 0)),
            // 04:00:06 in the zone.
            ("today", (4 * 3_600 + 6, 0)),
            ("yesterday", (28 * 3_600 + 6, 4 * 3_600 + 6)),
        ] {
            let range = Range::named(name, ("", ""), &zone()).unwrap();
            let end = now.as_second() + 1;
            assert_eq!(range.seconds(now, &zone()), (end - from, end - to), "{name}");
            assert_eq!(Range::named(range.name(), ("", ""), &zone()).unwrap(), range);
        }
    }

    #[test]
    fn moments_are_seconds_or_dates_of_the_zone() {
        let fixed = Range::named("fixed", ("1", "1970-01-01T08:00:02"), &zone()).unwrap();
        assert_eq!(fixed, Range::Fixed(1, 2));
        assert_eq!(second("1970-01-01T08:01", &zone()).unwrap(), 60);
        assert_eq!(second("1970-01-01T00:01:00Z", &zone()).unwrap(), 60);
        assert_eq!(field_value(2, &zone()), "1970-01-01T08:00:02");
        assert_eq!(Range::zoomed("5-7").unwrap(), Range::Fixed(5, 7));
        for (name, from) in [("fixed", "yesterday"), ("2w", ""), ("fixed", "")] {
            assert!(Range::named(name, (from, "5"), &zone()).is_err(), "{name}");
        }
        assert!(Range::zoomed("5").is_err());
    }
}
