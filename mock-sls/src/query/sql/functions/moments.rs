//! Moments as texts, and texts as moments.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};

use crate::query::sql::types::Type;

/// `2023-11-15 07:00:00.000`, how results show a timestamp.
pub fn show(millisecond: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_millisecond(millisecond).ok()?.to_zoned(zone.clone());
    Some(time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

/// `2023-11-15 07:00:00.000 Asia/Shanghai`, how results show a timestamp with time zone.
pub fn show_zoned(millisecond: i64, name: &str, session: &TimeZone) -> Option<String> {
    let zone = match name {
        "" => session.clone(),
        name => zone_of(name)?,
    };
    let name = match name {
        "" => zone_name(&zone),
        name => name.to_owned(),
    };
    Some(format!("{} {name}", show(millisecond, &zone)?))
}

/// `2023-11-15`, how results show a date.
pub fn show_date(millisecond: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_millisecond(millisecond).ok()?.to_zoned(zone.clone());
    Some(time.strftime("%Y-%m-%d").to_string())
}

/// `1 02:03:04.500`, how results show a span of time.
pub fn show_interval(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let rest = milliseconds.unsigned_abs();
    let (days, hours, minutes) = (rest / 86_400_000, rest / 3_600_000 % 24, rest / 60_000 % 60);
    format!("{sign}{days} {hours:02}:{minutes:02}:{:02}.{:03}", rest / 1000 % 60, rest % 1000)
}

/// A moment as its type shows it.
pub fn shown(millisecond: i64, ty: &Type, zone: &TimeZone) -> Option<String> {
    match ty {
        Type::TimestampTz(name) => show_zoned(millisecond, name, zone),
        Type::Date => show_date(millisecond, zone),
        Type::Interval => Some(show_interval(millisecond)),
        _ => show(millisecond, zone),
    }
}

/// The name of a zone, or its offset.
pub fn zone_name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        // The default zone without a table of zones is a fixed offset.
        None if *zone == crate::query::sql::china() => crate::query::sql::DEFAULT_ZONE.to_owned(),
        None => zone.to_offset(Timestamp::UNIX_EPOCH).to_string(),
    }
}

/// Hours of an offset from UTC. Source: Presto.
const OFFSET_HOURS_MAX: i32 = 14;

/// A zone by its name (`Asia/Shanghai`) or offset (`+08:00`).
pub fn zone_of(name: &str) -> Option<TimeZone> {
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let (sign, offset) = match (name.strip_prefix('+'), name.strip_prefix('-')) {
        (Some(offset), _) => (1, offset),
        (_, Some(offset)) => (-1, offset),
        _ => return (name == crate::query::sql::DEFAULT_ZONE).then(crate::query::sql::china),
    };
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "0"));
    let number = |text: &str, max| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| digits && *number <= max)
    };
    let seconds = number(hours, OFFSET_HOURS_MAX)? * 3600 + number(minutes, 59)? * 60;
    Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed)
}

/// The first moment of the day of a moment.
pub fn start_of_day(millisecond: i64, zone: &TimeZone) -> Option<i64> {
    let time = Timestamp::from_millisecond(millisecond).ok()?.to_zoned(zone.clone());
    super::times::millis(time.date().at(0, 0, 0, 0), zone)
}

/// What a text says of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeText {
    /// The moment.
    pub millisecond: i64,
    /// The zone that was written behind it.
    pub zone: Option<String>,
}

/// A date, or date and time, with or without a zone behind it; else in the session's zone.
pub fn parse_time(text: &str, session: &TimeZone) -> Option<TimeText> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(TimeText { millisecond: time.as_millisecond(), zone: None });
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(TimeText { millisecond: super::times::millis(time, session)?, zone: None });
    }
    let (time, name) = text.rsplit_once(' ')?;
    let zone = zone_of(name)?;
    Some(TimeText {
        millisecond: super::times::millis(time.trim().parse().ok()?, &zone)?,
        zone: Some(name.to_owned()),
    })
}

/// A day.
pub fn parse_date(text: &str, zone: &TimeZone) -> Option<i64> {
    super::times::millis(text.trim().parse::<Date>().ok()?.at(0, 0, 0, 0), zone)
}

/// `1 day, 2 hours, 3 seconds`. Source: Presto.
pub fn readable_seconds(seconds: f64) -> String {
    let mut rest = seconds.round().max(0.0) as u64;
    let mut parts = Vec::new();
    for (size, name) in [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")] {
        let count = rest / size;
        rest %= size;
        if count > 0 || (size == 1 && parts.is_empty()) {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.join(", ")
}
