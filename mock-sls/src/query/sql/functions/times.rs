//! Functions of times. A timestamp is milliseconds since 1970 in UTC; its parts are those of the
//! session's time zone. Format letters are MySQL's. Source: document "Date and time functions".

use std::{convert::Infallible, fmt::Write, sync::Arc};

use jiff::{
    Span, Timestamp, Unit, Zoned, ZonedDifference,
    civil::{Date, DateTime, Time, Weekday},
    fmt::strtime::BrokenDownTime,
    tz::TimeZone,
};
use rusqlite::functions::Context;

use super::{
    PURE, Registrar, failed,
    moments::{parse_time, readable_seconds, start_of_day, zone_of},
    scalar,
    texts::text_arg,
};

pub fn register(db: &Registrar<'_>, zone: &TimeZone) -> rusqlite::Result<()> {
    let unit_then_time = |name, f: fn(&str, &Zoned) -> rusqlite::Result<i64>| {
        let zone = zone.clone();
        scalar(db, name, 3, PURE, move |call| {
            let (Some(unit), Some(time)) = (unit_arg(call)?, time_arg(call, 1, 2, &zone)?) else {
                return Ok(None);
            };
            f(&unit, &time).map(Some)
        })
    };
    unit_then_time("sls_date_trunc", truncated)?;
    unit_then_time("sls_date_part", part)?;
    let text_of_time = |name, f: fn(&Zoned, &str) -> rusqlite::Result<String>| {
        let zone = zone.clone();
        scalar(db, name, 3, PURE, move |call| {
            let (Some(time), Some(format)) = (time_arg(call, 0, 2, &zone)?, text_arg(call, 1)?) else {
                return Ok(None);
            };
            f(&time, format).map(Some)
        })
    };
    text_of_time("sls_date_format", |time, format| Ok(formatted(time, format)))?;
    let in_zone = zone.clone();
    scalar(db, "sls_to_iso8601", 3, PURE, move |call| {
        let Some(time) = time_arg(call, 0, 1, &in_zone)? else { return Ok(None) };
        let format = if call.get::<bool>(2)? { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%S%.3f%:z" };
        Ok(Some(time.strftime(format).to_string()))
    })?;
    let in_zone = zone.clone();
    scalar(db, "sls_date_parse", 2, PURE, move |call| {
        let (Some(text), Some(format)) = (text_arg(call, 0)?, text_arg(call, 1)?) else {
            return Ok(None);
        };
        let parsed = parsed(text, format).and_then(|time| millis(time, &in_zone));
        parsed.map(Some).ok_or_else(|| failed(format!("Invalid format: \"{text}\" is not like {format}")))
    })?;
    let in_zone = zone.clone();
    scalar(db, "sls_parse_iso8601", 1, PURE, move |call| {
        let Some(text) = text_arg(call, 0)? else { return Ok(None) };
        let time = parse_time(text, &in_zone).map(|time| time.millisecond);
        time.map(Some).ok_or_else(|| failed(format!("Invalid format: \"{text}\"")))
    })?;
    let in_zone = zone.clone();
    scalar(db, "sls_start_of_day", 1, PURE, move |call| {
        Ok(call.get::<Option<i64>>(0)?.and_then(|time| start_of_day(time, &in_zone)))
    })?;
    let in_zone = zone.clone();
    scalar(db, "sls_last_day_of_month", 2, PURE, move |call| {
        let Some(time) = time_arg(call, 0, 1, &in_zone)? else { return Ok(None) };
        Ok(millis(time.date().last_of_month().at(0, 0, 0, 0), time.time_zone()))
    })?;
    let in_zone = zone.clone();
    scalar(db, "sls_date_add", 4, PURE, move |call| {
        let (Some(unit), Some(count), Some(time)) =
            (unit_arg(call)?, call.get::<Option<i64>>(1)?, time_arg(call, 2, 3, &in_zone)?)
        else {
            return Ok(None);
        };
        let span = span(&unit, count).ok_or_else(|| not_a_unit(&unit))?;
        let moved = time.checked_add(span).map_err(|error| failed(error.to_string()))?;
        Ok(Some(moved.timestamp().as_millisecond()))
    })?;
    let in_zone = zone.clone();
    scalar(db, "sls_date_diff", 4, PURE, move |call| {
        let (Some(unit), Some(from), Some(to)) =
            (unit_arg(call)?, time_arg(call, 1, 3, &in_zone)?, time_arg(call, 2, 3, &in_zone)?)
        else {
            return Ok(None);
        };
        difference(&unit, &from, &to).ok_or_else(|| not_a_unit(&unit)).map(Some)
    })?;
    scalar(db, "sls_readable_seconds", 1, PURE, |call| Ok(call.get::<Option<f64>>(0)?.map(readable_seconds)))
}

/// The unit that is the first argument, in lower case; most statements have one for all rows.
fn unit_arg(call: &Context<'_>) -> rusqlite::Result<Option<Arc<String>>> {
    let Some(unit) = text_arg(call, 0)? else { return Ok(None) };
    Ok(Some(call.get_or_create_aux(0, |_| Ok::<_, Infallible>(unit.to_ascii_lowercase()))?))
}

/// The moment of one argument in the zone of another; an empty one is the session's.
fn time_arg(
    call: &Context<'_>,
    index: usize,
    zone_index: usize,
    session: &TimeZone,
) -> rusqlite::Result<Option<Zoned>> {
    let Some(millisecond) = call.get::<Option<i64>>(index)? else {
        return Ok(None);
    };
    let zone = match text_arg(call, zone_index)? {
        None | Some("") => session.clone(),
        Some(name) => {
            let known = call.get_or_create_aux(zone_index as std::ffi::c_int, |_| {
                zone_of(name).ok_or_else(|| failed(format!("'{name}' is not a valid time zone")))
            })?;
            TimeZone::clone(&known)
        }
    };
    match Timestamp::from_millisecond(millisecond) {
        Ok(time) => Ok(Some(time.to_zoned(zone))),
        Err(_) => Err(failed(format!("the time {millisecond} ms is out of range"))),
    }
}

fn not_a_unit(unit: &str) -> rusqlite::Error {
    failed(format!("'{unit}' is not a valid Timestamp field"))
}

fn truncated(unit: &str, time: &Zoned) -> rusqlite::Result<i64> {
    let now = time.datetime();
    let date = now.date();
    let day = match unit {
        "week" => date.checked_sub(Span::new().days(date.weekday().since(Weekday::Monday))).ok(),
        "month" => Some(date.first_of_month()),
        "quarter" => first_of_quarter(now),
        "year" => Some(date.first_of_year()),
        _ => Some(date),
    };
    let start = day.and_then(|day| match unit {
        "second" => Some(day.at(now.hour(), now.minute(), now.second(), 0)),
        "minute" => Some(day.at(now.hour(), now.minute(), 0, 0)),
        "hour" => Some(day.at(now.hour(), 0, 0, 0)),
        "day" | "week" | "month" | "quarter" | "year" => Some(day.at(0, 0, 0, 0)),
        _ => None,
    });
    start.and_then(|start| millis(start, time.time_zone())).ok_or_else(|| not_a_unit(unit))
}

fn first_of_quarter(time: DateTime) -> Option<Date> {
    Date::new(time.year(), (time.month() - 1) / 3 * 3 + 1, 1).ok()
}

/// The moment of a date and time in a zone, milliseconds.
pub fn millis(time: DateTime, zone: &TimeZone) -> Option<i64> {
    zone.to_timestamp(time).ok().map(|time| time.as_millisecond())
}

fn part(unit: &str, time: &Zoned) -> rusqlite::Result<i64> {
    Ok(match unit {
        "year" => i64::from(time.year()),
        "quarter" => i64::from((time.month() - 1) / 3 + 1),
        "month" => i64::from(time.month()),
        "week" | "week_of_year" => i64::from(time.date().iso_week_date().week()),
        "year_of_week" | "yow" => i64::from(time.date().iso_week_date().year()),
        "day" | "day_of_month" => i64::from(time.day()),
        "day_of_week" | "dow" => i64::from(time.weekday().to_monday_one_offset()),
        "day_of_year" | "doy" => i64::from(time.day_of_year()),
        "hour" => i64::from(time.hour()),
        "minute" => i64::from(time.minute()),
        "second" => i64::from(time.second()),
        "millisecond" => i64::from(time.millisecond()),
        "timezone_hour" => i64::from(time.offset().seconds() / 3600),
        "timezone_minute" => i64::from(time.offset().seconds() / 60 % 60),
        _ => return Err(not_a_unit(unit)),
    })
}

fn span(unit: &str, count: i64) -> Option<Span> {
    let span = Span::new();
    match unit {
        "millisecond" => span.try_milliseconds(count),
        "second" => span.try_seconds(count),
        "minute" => span.try_minutes(count),
        "hour" => span.try_hours(count),
        "day" => span.try_days(count),
        "week" => span.try_weeks(count),
        "month" => span.try_months(count),
        "quarter" => span.try_months(count.checked_mul(3)?),
        "year" => span.try_years(count),
        _ => return None,
    }
    .ok()
}

/// Whole units from one time to another.
fn difference(unit: &str, from: &Zoned, to: &Zoned) -> Option<i64> {
    let milliseconds = to.timestamp().as_millisecond() - from.timestamp().as_millisecond();
    let calendar = |largest: Unit, get: fn(&Span) -> i64| {
        from.until(ZonedDifference::new(to).largest(largest)).ok().map(|span| get(&span))
    };
    match unit {
        "millisecond" => Some(milliseconds),
        "second" => Some(milliseconds / 1000),
        "minute" => Some(milliseconds / 60_000),
        "hour" => Some(milliseconds / 3_600_000),
        "day" => calendar(Unit::Day, |span| i64::from(span.get_days())),
        "week" => calendar(Unit::Week, |span| i64::from(span.get_weeks())),
        "month" => calendar(Unit::Month, |span| i64::from(span.get_months())),
        "quarter" => calendar(Unit::Month, |span| i64::from(span.get_months()) / 3),
        "year" => calendar(Unit::Year, |span| i64::from(span.get_years())),
        _ => None,
    }
}

/// MySQL letters; an unknown one stands for itself.
fn formatted(time: &Zoned, format: &str) -> String {
    let mut text = String::with_capacity(format.len() + 16);
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let Some(letter) = letters.next() else { break };
        // Writing to a String does not fail.
        let _ = write_part(&mut text, letter, time);
    }
    text
}

fn write_part(text: &mut String, letter: char, time: &Zoned) -> std::fmt::Result {
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    match letter {
        'Y' => write!(text, "{:04}", time.year()),
        'y' => write!(text, "{:02}", time.year().rem_euclid(100)),
        'm' => write!(text, "{:02}", time.month()),
        'c' => write!(text, "{}", time.month()),
        'd' => write!(text, "{:02}", time.day()),
        'e' => write!(text, "{}", time.day()),
        'H' => write!(text, "{hour:02}"),
        'k' => write!(text, "{hour}"),
        'h' | 'I' => write!(text, "{hour12:02}"),
        'l' => write!(text, "{hour12}"),
        'i' => write!(text, "{minute:02}"),
        's' | 'S' => write!(text, "{second:02}"),
        'f' => write!(text, "{:06}", time.subsec_nanosecond() / 1000),
        'p' => text.write_str(half),
        'T' => write!(text, "{hour:02}:{minute:02}:{second:02}"),
        'r' => write!(text, "{hour12:02}:{minute:02}:{second:02} {half}"),
        'j' => write!(text, "{:03}", time.day_of_year()),
        'D' => write!(text, "{}{}", time.day(), ordinal_suffix(time.day())),
        'w' => write!(text, "{}", time.weekday().to_sunday_zero_offset()),
        'U' => write!(text, "{}", time.strftime("%U")),
        'V' => write!(text, "{:02}", sunday_week(time)),
        'v' => write!(text, "{:02}", time.date().iso_week_date().week()),
        'x' => write!(text, "{:04}", time.date().iso_week_date().year()),
        'a' => write!(text, "{}", time.strftime("%a")),
        'W' => write!(text, "{}", time.strftime("%A")),
        'b' => write!(text, "{}", time.strftime("%b")),
        'M' => write!(text, "{}", time.strftime("%B")),
        other => write!(text, "{other}"),
    }
}

/// MySQL letters to those of our library, for parsing.
fn strptime_format(format: &str) -> String {
    let mut translated = String::with_capacity(format.len());
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        translated.push(c);
        if c != '%' {
            continue;
        }
        let Some(letter) = letters.next() else { break };
        match letter {
            'i' => translated.push('M'),
            's' => translated.push('S'),
            'c' => translated.push('m'),
            'h' | 'l' => translated.push('I'),
            'k' => translated.push('H'),
            'M' => translated.push('B'),
            'W' => translated.push('A'),
            other => translated.push(other),
        }
    }
    translated
}

fn ordinal_suffix(day: i8) -> &'static str {
    match (day % 10, day / 10) {
        (_, 1) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// Week of the year whose weeks begin on Sunday; week 1 has the year's first Sunday. Days before
/// it belong to the last week of the year before. Source: MySQL's `%V`.
fn sunday_week(time: &Zoned) -> i16 {
    let week = |date: Date| (date.day_of_year() + 6 - i16::from(date.weekday().to_sunday_zero_offset())) / 7;
    match week(time.date()) {
        0 => Date::new(time.year() - 1, 12, 31).map_or(0, week),
        week => week,
    }
}

/// A time by MySQL letters; what the format leaves out is that of 1970-01-01 00:00:00.
fn parsed(text: &str, format: &str) -> Option<DateTime> {
    let mut parts = BrokenDownTime::parse(strptime_format(format), text).ok()?;
    let (year, month, day) = (parts.year(), parts.month(), parts.day());
    if parts.day_of_year().is_none() {
        parts.set_year(Some(year.unwrap_or(1970))).ok()?;
        parts.set_month(Some(month.unwrap_or(1))).ok()?;
        parts.set_day(Some(day.unwrap_or(1))).ok()?;
    }
    let date = parts.to_date().ok()?;
    Some(date.to_datetime(parts.to_time().unwrap_or(Time::midnight())))
}
