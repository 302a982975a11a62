//! What must be known of a log group to take it in, found in its bytes without decoding them: whether it is
//! within the limits, and what scans select it by.

use std::ops::RangeInclusive;

use sls_api::log_group::PARTS_MAX;
use sls_api::operation::DecodeError;

use super::shape::{Rest, Shape};
use crate::error::ApiError;
use crate::query::log_view::{Field, GroupView, read_log};
use crate::store::logs::Selectors;

/// Longest name of a field, in bytes. Source: limits document.
const KEY_BYTES_MAX: usize = 128;
/// Longest value of a field, in bytes. Source: limits document; that longer ones are refused and
/// not cut is a guess.
const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Longest topic and longest source, in bytes. Source: document "Data model".
const TOPIC_BYTES_MAX: usize = 128;

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Unix seconds that a log may have; none for any.
pub type Times = Option<RangeInclusive<i64>>;

/// Looks at an encoded group; nothing if it holds no log.
///
/// # Errors
/// It is not a group, or beyond a limit.
pub fn inspect(raw: &[u8], times: &Times) -> Result<Option<Selectors>, ApiError> {
    let not_a_group =
        |error: String| ApiError::PostBodyInvalid(format!("Protobuffer content cannot be parsed: {error}"));
    let group = GroupView::parse(raw).map_err(|error| not_a_group(error.to_string()))?;
    let topic = short("The topic", group.topic)?;
    short("The source", group.source)?;
    let texts = group.others.into_iter().chain(group.tags.iter().flat_map(|(key, value)| [*key, *value]));
    if texts.into_iter().any(|text| std::str::from_utf8(text).is_err()) {
        return Err(not_a_group("a category, machine or tag is not UTF-8".to_owned()));
    }
    let mut logs = Logs { times, parts: group.tags.len(), range: (u32::MAX, 0), keys: Shape::default() };
    let mut contents = Vec::new();
    for log in group.logs() {
        match logs.keys.of(log) {
            Some(rest) => logs.add(&rest)?,
            None => {
                contents.clear();
                let (time, time_ns) =
                    read_log(log, &mut contents).map_err(|error| not_a_group(error.to_string()))?;
                check(&contents)?;
                logs.keys.learn(&contents);
                logs.add(&Rest { time, time_ns, fields: contents.len() })?;
            }
        }
    }
    if logs.parts > PARTS_MAX {
        return Err(DecodeError::TooManyParts { parts: logs.parts, limit: PARTS_MAX }.into());
    }
    Ok((!group.logs().is_empty()).then(|| Selectors {
        times: logs.range,
        log_count: group.logs().len(),
        topic: topic.to_owned(),
    }))
}

/// A topic or source.
fn short<'a>(what: &str, text: &'a [u8]) -> Result<&'a str, ApiError> {
    if text.len() > TOPIC_BYTES_MAX {
        return Err(too_long(what, text.len(), TOPIC_BYTES_MAX));
    }
    std::str::from_utf8(text).map_err(|_| ApiError::PostBodyInvalid(format!("{what} is not UTF-8")))
}

fn too_long(what: &str, bytes: usize, max: usize) -> ApiError {
    ApiError::PostBodyInvalid(format!("{what} has {bytes} bytes, at most {max} are accepted"))
}

/// The logs of a group, seen so far.
struct Logs<'a> {
    times: &'a Times,
    /// Logs, fields and tags.
    parts: usize,
    /// Earliest and latest time.
    range: (u32, u32),
    /// Keys of the last log that had others than the one before: they are good.
    keys: Shape,
}

impl Logs<'_> {
    #[inline]
    fn add(&mut self, log: &Rest) -> Result<(), ApiError> {
        self.parts += 1 + log.fields;
        self.range = (self.range.0.min(log.time), self.range.1.max(log.time));
        // Nanoseconds beyond a second would be stored but never found again.
        if log.time_ns >= NANOSECONDS_PER_SECOND {
            return Err(ApiError::InvalidTimestamp(format!(
                "Time_ns of a log must be 0 to 999999999 nanoseconds, not {}",
                log.time_ns
            )));
        }
        if self.times.as_ref().is_some_and(|times| !times.contains(&i64::from(log.time))) {
            return Err(ApiError::PostBodyInvalid("The post data time is out of range".to_owned()));
        }
        Ok(())
    }
}

/// Keys: only length and emptiness, real data has names of every alphabet. Source: limits document.
fn check(contents: &[Field<'_>]) -> Result<(), ApiError> {
    for (key, value) in contents {
        let text = std::str::from_utf8(key).ok();
        if !text.is_some_and(|text| !text.is_empty() && text.len() <= KEY_BYTES_MAX) {
            return Err(ApiError::InvalidKey(
                String::from_utf8_lossy(key).chars().take(KEY_BYTES_MAX).collect(),
            ));
        }
        if value.len() > VALUE_BYTES_MAX {
            let what = format!("The value of {:?}", String::from_utf8_lossy(key));
            return Err(too_long(&what, value.len(), VALUE_BYTES_MAX));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use sls_api::log_group::{Content, Log, LogGroup, LogTag};

    use super::*;

    fn log(time: u32, keys: &[&str]) -> Log {
        let contents = keys.iter().map(|key| Content::new(*key, "v")).collect();
        Log { time, contents, time_ns: None }
    }

    fn group(logs: Vec<Log>) -> LogGroup {
        LogGroup { logs, topic: Some("t".to_owned()), ..LogGroup::default() }
    }

    fn seen(group: &LogGroup) -> Result<Option<Selectors>, String> {
        inspect(&group.encode_to_vec(), &None).map_err(|error| error.to_string())
    }

    #[test]
    fn times_count_and_topic_are_those_of_the_group() {
        let found = seen(&group(vec![log(7, &["a"]), log(3, &["a", "b"]), log(5, &["a"])]));
        let expected = Selectors { times: (3, 7), log_count: 3, topic: "t".to_owned() };
        assert_eq!(found, Ok(Some(expected)));
        assert_eq!(seen(&group(Vec::new())), Ok(None));
    }

    #[test]
    fn a_bad_key_is_found_wherever_it_stands() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        for bad in ["", &long] {
            for logs in [
                vec![log(1, &[bad])],
                vec![log(1, &["a", "b"]), log(1, &["a", bad])],
                vec![log(1, &["a", "b"]), log(1, &["a"]), log(1, &["a", "b", bad])],
            ] {
                assert!(seen(&group(logs)).is_err(), "{bad:?}");
            }
        }
        let good = "k".repeat(KEY_BYTES_MAX);
        assert!(seen(&group(vec![log(1, &[&good, "a"]), log(1, &["k", "a"]), log(1, &[])])).is_ok());
    }

    #[test]
    fn texts_that_are_not_utf_8_are_refused_and_values_are_not() {
        let tagged = LogGroup {
            log_tags: vec![LogTag { key: "k".to_owned(), value: "vvvv".to_owned() }],
            machine_uuid: Some("mmmm".to_owned()),
            ..group(vec![log(1, &["key4"])])
        };
        let raw = tagged.encode_to_vec();
        assert!(inspect(&raw, &None).is_ok());
        for text in [&b"vvvv"[..], b"mmmm", b"key4"] {
            let at = raw.windows(4).position(|window| window == text).expect("the text");
            let mut bad = raw.clone();
            bad[at] = 0xff;
            assert!(inspect(&bad, &None).is_err(), "{text:?}");
        }
        let binary = Log { contents: vec![Content::new("k", vec![0xff, 0])], ..Log::default() };
        assert!(seen(&group(vec![binary])).is_ok());
    }

    #[test]
    fn so_many_parts_that_a_decoder_would_need_too_much_memory_are_refused() {
        let fields = |count| group(vec![Log { contents: vec![Content::default(); count], ..Log::default() }]);
        let error = seen(&group(vec![Log::default(); PARTS_MAX + 1])).expect_err("too many");
        assert!(error.contains("1048577"), "{error}");
        assert!(seen(&group(vec![Log::default(); PARTS_MAX])).is_ok());
        assert!(seen(&fields(1)).is_err(), "a field without a key");
    }
}
