//! The time of a log, read from one of its fields: a subset of strptime, in bytes.
//!
//! Pure: the format is compiled once ([`TimeFormat`]), text and "now" come in as arguments. As with
//! strptime, white space of the format stands for any amount of it and text after the format is
//! ignored. Called by `engine::feed`; `pipeline_json` may call [`TimeFormat::new`] to check a config.

mod format;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use self::format::{Said, parse};
pub use self::format::{TimeFormat, TimeFormatError, fraction_nanos};
use crate::key::Stamp;
use crate::pipeline::TimeRule;

const SECONDS_PER_DAY: i64 = 86_400;
/// A date without year that would lie further ahead than this belongs to the year before.
const YEARLESS_AHEAD_SECONDS_MAX: i64 = 2 * SECONDS_PER_DAY;
/// Reads the times of one pipeline.
#[derive(Debug)]
pub struct Clock {
    format: TimeFormat,
    zone: Zone,
    /// Year of dates that say none; `None` for the latest such date.
    year: Option<i64>,
    /// A fraction right behind the text that the format takes counts too.
    reads_on: bool,
    /// The last text and its time: logs of one second share their text.
    last: Option<(Vec<u8>, Stamp)>,
    /// The last hour (of local seconds / 3600) and its offset, for zones with rules.
    offset_of_hour: Option<(i64, i64)>,
    /// A text without year is placed near now, so it may not be remembered for ever.
    remembers: bool,
}

#[derive(Debug)]
enum Zone {
    Fixed(i64),
    Rules(TimeZone),
}

impl Clock {
    /// `None` if the rule is the time of collection.
    ///
    /// # Errors
    /// The format cannot be used.
    pub fn new(rule: &TimeRule, process_zone: &TimeZone) -> Result<Option<Self>, TimeFormatError> {
        let TimeRule::Field { format, offset_seconds, year, precise, .. } = rule else { return Ok(None) };
        let mut clock = Self::of(TimeFormat::new(format)?, *offset_seconds, process_zone);
        clock.year = *year;
        clock.reads_on = precise.is_some();
        clock.remembers |= year.is_some();
        Ok(Some(clock))
    }

    /// Reads dates like `2024-05-01 12:00:00`.
    pub fn of_dates(offset_seconds: Option<i32>, process_zone: &TimeZone) -> Self {
        Self::of(TimeFormat::dates(), offset_seconds, process_zone)
    }

    /// Reads Unix times.
    pub fn of_epochs() -> Self {
        Self::of(TimeFormat::epochs(), Some(0), &TimeZone::UTC)
    }

    fn of(format: TimeFormat, offset_seconds: Option<i32>, process_zone: &TimeZone) -> Self {
        let zone = match offset_seconds {
            Some(seconds) => Zone::Fixed(i64::from(seconds)),
            None => Zone::Rules(process_zone.clone()),
        };
        let remembers = format.is_dated();
        Self { format, zone, year: None, reads_on: false, last: None, offset_of_hour: None, remembers }
    }

    /// The time that `text` says, or `None` if it does not fit the format or is no time from 1970
    /// to 2106 (`__time__` is an unsigned 32-bit number of seconds).
    pub fn read(&mut self, text: &[u8], now_seconds: i64) -> Option<Stamp> {
        if let Some((last, stamp)) = &self.last
            && last == text
        {
            return Some(*stamp);
        }
        let (mut said, end) = parse(&self.format, text)?;
        if self.reads_on && said.nanos.is_none() {
            // As `ProcessorParseTimestamp` of Logtail does for its precise timestamps.
            said.nanos = match text.get(end..) {
                Some([b'.' | b',' | b':', rest @ ..]) => fraction_nanos(rest),
                _ => None,
            };
        }
        let stamp = self.place(&said, now_seconds)?;
        if self.remembers {
            let (last, at) = self.last.get_or_insert_with(|| (Vec::new(), stamp));
            last.clear();
            last.extend_from_slice(text);
            *at = stamp;
        }
        Some(stamp)
    }

    fn place(&mut self, said: &Said, now_seconds: i64) -> Option<Stamp> {
        let seconds = match said.epoch {
            Some(seconds) => seconds,
            None => self.place_civil(said, now_seconds)?,
        };
        Some(Stamp { seconds: u32::try_from(seconds).ok()?, nanos: said.nanos })
    }

    fn place_civil(&mut self, said: &Said, now_seconds: i64) -> Option<i64> {
        let hour = match said.afternoon {
            Some(afternoon) => said.hour % 12 + if afternoon { 12 } else { 0 },
            None => said.hour,
        };
        let of_day = hour * 3600 + said.minute * 60 + said.second;
        let in_year = |year: i64| {
            let days = match said.day_of_year {
                Some(day) => days_from_civil(year, 1, 1) + day - 1,
                None => days_from_civil(year, said.month, said.day),
            };
            days * SECONDS_PER_DAY + of_day
        };
        match said.year.or(self.year) {
            Some(year) => Some(self.utc_of(said, in_year(year))),
            None => {
                let this_year = year_of(now_seconds);
                // The day after New Year in another zone is a year further than ours.
                [this_year + 1, this_year, this_year - 1]
                    .into_iter()
                    .map(|year| self.utc_of(said, in_year(year)))
                    .find(|seconds| *seconds <= now_seconds + YEARLESS_AHEAD_SECONDS_MAX)
            }
        }
    }

    fn utc_of(&mut self, said: &Said, local: i64) -> i64 {
        let offset = match (said.offset_seconds, &self.zone) {
            (Some(offset), _) => offset,
            (None, Zone::Fixed(offset)) => *offset,
            (None, Zone::Rules(zone)) => match self.offset_of_hour {
                Some((hour, offset)) if hour == local.div_euclid(3600) => offset,
                _ => {
                    let offset = offset_at(zone, local);
                    self.offset_of_hour = Some((local.div_euclid(3600), offset));
                    offset
                }
            },
        };
        local - offset
    }
}

/// Offset of `zone` at a local time; the first of two where the clock is set back.
fn offset_at(zone: &TimeZone, local: i64) -> i64 {
    let civil = |seconds| {
        let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Offset::UTC.to_datetime(at)
    };
    let at: DateTime = civil(local);
    match zone.to_ambiguous_timestamp(at).compatible() {
        Ok(utc) => local - utc.as_second(),
        Err(_) => 0,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn year_of(seconds: i64) -> i64 {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    i64::from(Offset::UTC.to_datetime(at).year())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000; // 2023-11-14T22:13:20Z

    fn rule(format: &str, offset_seconds: Option<i32>) -> TimeRule {
        TimeRule::Field {
            key: "time".to_owned(),
            format: format.to_owned(),
            offset_seconds,
            year: None,
            precise: None,
        }
    }

    fn read_at(zone: &TimeZone, offset: Option<i32>, format: &str, text: &str, now: i64) -> Option<String> {
        let mut clock = Clock::new(&rule(format, offset), zone).expect("format").expect("a field rule");
        let first = clock.read(text.as_bytes(), now);
        assert_eq!(first, clock.read(text.as_bytes(), now), "a second reading differs");
        first.map(|stamp| {
            let nanos = stamp.nanos.unwrap_or(0);
            let at = jiff::Timestamp::new(i64::from(stamp.seconds), nanos as i32).expect("in range");
            format!("{at}{}", if stamp.nanos.is_some() { "" } else { " (no fraction)" })
        })
    }

    #[track_caller]
    fn check(format: &str, text: &str, expected: &str) {
        let got = read_at(&TimeZone::UTC, None, format, text, NOW);
        assert_eq!(got.as_deref().unwrap_or("none"), expected, "{text:?} by {format:?}");
    }

    #[test]
    fn common_formats_are_read() {
        check("%Y-%m-%d %H:%M:%S", "2018-11-13 17:05:09", "2018-11-13T17:05:09Z (no fraction)");
        check("%d/%b/%Y:%H:%M:%S %z", "13/Nov/2018:17:05:09 +0800", "2018-11-13T09:05:09Z (no fraction)");
        check("%Y-%m-%dT%H:%M:%S.%f%z", "2018-11-13T17:05:09.123456Z", "2018-11-13T17:05:09.123456Z");
        check("%FT%T.%f%z", "2018-11-13T17:05:09.5-03:30", "2018-11-13T20:35:09.5Z");
        check("%a %b %e %T %Z %Y", "Tue Nov  3 17:05:09 UTC 2020", "2020-11-03T17:05:09Z (no fraction)");
        check("%D %I:%M %p", "02/29/20 12:07 AM", "2020-02-29T00:07:00Z (no fraction)");
        check("%y%m%d %R", "181113 17:05", "2018-11-13T17:05:00Z (no fraction)");
        check("%Y %j", "2020 366", "2020-12-31T00:00:00Z (no fraction)");
        check("%A, %d %B %Y", "Friday, 01 March 2024", "2024-03-01T00:00:00Z (no fraction)");
        check("%d%%%m%%%Y", "05%06%2007", "2007-06-05T00:00:00Z (no fraction)");
    }

    #[test]
    fn epochs_of_every_precision_are_read() {
        check("%s", "1542099909", "2018-11-13T09:05:09Z (no fraction)");
        check("%s", "1542099909123", "2018-11-13T09:05:09.123Z");
        check("%s", "1542099909123456789", "2018-11-13T09:05:09.123456789Z");
        check("%s.%f", "1542099909.25", "2018-11-13T09:05:09.25Z");
        check("%s", "99999999999", "none");
    }

    #[test]
    fn text_after_the_format_is_ignored() {
        check("%Y-%m-%d %H:%M:%S", "2018-11-13 17:05:09,123 INFO", "2018-11-13T17:05:09Z (no fraction)");
    }

    #[test]
    fn text_that_does_not_fit_gives_none() {
        check("%Y-%m-%d %H:%M:%S", "13/Nov/2018", "none");
        check("%Y-%m-%d %H:%M:%S", "2018-11-13 17:05", "none");
        check("%Y-%m-%d", "2018-13-01", "none");
        check("%H:%M", "24:00", "none");
        check("%d/%b/%Y", "13/Foo/2018", "none");
        check("%Y", "", "none");
        check("%Y-%m-%d", "1969-12-31", "none");
    }

    #[test]
    fn a_date_without_year_is_the_latest_that_is_not_in_the_future() {
        let read = |text, now| read_at(&TimeZone::UTC, None, "%b %d %H:%M:%S", text, now);
        let new_year = 1_704_067_200; // 2024-01-01T00:00:00Z
        assert_eq!(read("Dec 31 23:59:59", new_year).as_deref(), Some("2023-12-31T23:59:59Z (no fraction)"));
        assert_eq!(read("Jan 01 00:00:01", new_year).as_deref(), Some("2024-01-01T00:00:01Z (no fraction)"));
        assert_eq!(
            read("Jan 01 07:00:00", new_year - 3600).as_deref(),
            Some("2024-01-01T07:00:00Z (no fraction)")
        );
        assert_eq!(read("Nov 14 10:00:00", NOW).as_deref(), Some("2023-11-14T10:00:00Z (no fraction)"));
    }

    #[test]
    fn a_date_without_year_is_in_the_year_of_the_config() {
        let in_2020 = |format: &str, text: &str| {
            let TimeRule::Field { key, format, offset_seconds, .. } = rule(format, None) else { return None };
            let rule = TimeRule::Field { key, format, offset_seconds, year: Some(2020), precise: None };
            let mut clock = Clock::new(&rule, &TimeZone::UTC).expect("format").expect("a field rule");
            clock.read(text.as_bytes(), NOW).map(|stamp| stamp.seconds)
        };
        assert_eq!(in_2020("%b %d %T", "Feb 29 00:00:01"), Some(1_582_934_401));
        assert_eq!(in_2020("%Y %b %d", "2024 Feb 29"), Some(1_709_164_800), "the text's own year goes first");
    }

    #[test]
    fn the_zone_comes_from_the_text_or_the_config_or_the_process() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("zone");
        let read = |offset, format, text| read_at(&berlin, offset, format, text, NOW);
        let winter = read(None, "%F %T", "2023-12-01 12:00:00");
        assert_eq!(winter.as_deref(), Some("2023-12-01T11:00:00Z (no fraction)"));
        let summer = read(None, "%F %T", "2023-07-01 12:00:00");
        assert_eq!(summer.as_deref(), Some("2023-07-01T10:00:00Z (no fraction)"));
        let config = read(Some(8 * 3600), "%F %T", "2023-07-01 12:00:00");
        assert_eq!(config.as_deref(), Some("2023-07-01T04:00:00Z (no fraction)"));
        let text = read(Some(8 * 3600), "%F %T %z", "2023-07-01 12:00:00 +0100");
        assert_eq!(text.as_deref(), Some("2023-07-01T11:00:00Z (no fraction)"));
    }

    #[test]
    fn a_bad_format_is_refused_with_what_is_supported() {
        let error = |format| TimeFormat::new(format).expect_err("refused").to_string();
        assert!(error("%Y %q").contains("%q is not supported"));
        assert!(error("%Y%").contains("lone %"));
        assert!(error("at").contains("no time of day"));
    }

    proptest! {
        #[test]
        fn what_jiff_prints_is_read_back(seconds in 0i64..=i64::from(u32::MAX), nanos in 0i32..1_000_000_000) {
            let at = jiff::Timestamp::new(seconds, nanos).expect("in range");
            let mut clock = Clock::new(&rule("%Y-%m-%dT%H:%M:%S.%f%z", None), &TimeZone::UTC)
                .expect("format").expect("a field rule");
            let text = format!("{at:.9}");
            let stamp = clock.read(text.as_bytes(), NOW);
            prop_assert_eq!(stamp, Some(Stamp { seconds: seconds as u32, nanos: Some(nanos as u32) }));
        }

        #[test]
        fn any_text_by_any_format_does_not_panic(format in "[%YmdHMSfbzZsjpy :/]{0,12}", text in "\\PC{0,20}") {
            if let Ok(Some(mut clock)) = Clock::new(&rule(&format, None), &TimeZone::UTC) {
                let _ = clock.read(text.as_bytes(), NOW);
            }
        }
    }
}
