//! Logs held one by one against those of a file: what varies from run to run is left out or made the
//! same on both sides.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use sls_api::ops::logs::Row;

/// What takes the place of a time.
const TIME: &str = "<time>";
/// Columns that are times.
const TIME_COLUMNS: [&str; 3] = ["__time__", "__time_ns_part__", "__tag__:__receive_time__"];
/// Columns that are left out unless something else is said: they differ with every run. Source: §1.5 and
/// §4.5 of `sls-query.md`.
const IGNORED: [&str; 3] = ["__tag__:__receive_time__", "__tag__:__pack_id__", "__pack_meta__"];
/// Differences that are told (own choice: further ones repeat what the first say).
pub const DIFFERENCES_MAX: usize = 20;
/// Logs on either side among which the most alike are looked for (own choice: it takes their product).
const PAIRED_MAX: usize = 200;

/// Times within a value: RFC 3339, nginx's access log and its error log, with any fraction and zone.
static TIMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x) \d{4}-\d{2}-\d{2}[T\ ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?
        | \d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2}(?:\ [+-]\d{4})?
        | \d{4}/\d{2}/\d{2}\ \d{2}:\d{2}:\d{2}(?:\.\d+)?",
    )
    .ok()
});

/// What the logs must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The logs, in the order of their arrival.
    pub logs: Vec<Row>,
    /// Columns that are not compared; without it, pack id, pack meta and time of receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Vec<String>>,
    /// Whether times are all the same: `__time__`, and times within values in the usual spellings.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalize_time: bool,
    /// Whether the order does not matter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
}

/// How a log is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// It is there, with other values.
    Differs {
        /// Number of the golden log, from 1.
        number: usize,
        /// Columns that differ: name, as it should be, as it is.
        columns: Vec<(String, Option<String>, Option<String>)>,
    },
    /// It is not there.
    Missing {
        /// Number of the golden log, from 1.
        number: usize,
        /// The log.
        log: Row,
    },
    /// It should not be there.
    Unexpected {
        /// Number of the received log, from 1.
        number: usize,
        /// The log.
        log: Row,
    },
}

impl Golden {
    /// A log as it is compared and as it stands in a golden file: columns in order of their names,
    /// without those that are ignored.
    pub fn normalize(&self, log: &Row) -> Row {
        let ignored = |name: &str| match &self.ignore {
            Some(names) => names.iter().any(|ignored| ignored == name),
            None => IGNORED.contains(&name),
        };
        let value = |name: &str, value: &str| match self.normalize_time {
            false => value.to_owned(),
            true if TIME_COLUMNS.contains(&name) => TIME.to_owned(),
            true => match &*TIMES {
                Some(times) => times.replace_all(value, TIME).into_owned(),
                None => value.to_owned(),
            },
        };
        let kept = log.0.iter().filter(|(name, _)| !ignored(name));
        let mut columns: Vec<(String, String)> =
            kept.map(|(name, text)| (name.clone(), value(name, text))).collect();
        columns.sort();
        Row(columns)
    }

    /// What is different in the received logs; the first [`DIFFERENCES_MAX`], and how many there are.
    pub fn differences(&self, received: &[Row]) -> (Vec<Difference>, usize) {
        let normal = |logs: &[Row]| -> Vec<Row> { logs.iter().map(|log| self.normalize(log)).collect() };
        let (golden, received) = (normal(&self.logs), normal(received));
        let (lacking, extra) =
            if self.unordered { unpaired(&golden, &received) } else { out_of_place(&golden, &received) };
        let mut differences = Vec::new();
        let mut extra: Vec<usize> = extra;
        let mut further = 0;
        for at in lacking {
            let Some(log) = golden.get(at) else { continue };
            if differences.len() >= DIFFERENCES_MAX {
                further += 1;
                continue;
            }
            let alike = match self.unordered {
                true => most_alike(log, &received, &extra),
                false => extra.iter().position(|other| *other == at),
            };
            let number = at + 1;
            differences.push(match alike.map(|position| extra.remove(position)) {
                Some(other) => Difference::Differs { number, columns: columns(log, received.get(other)) },
                None => Difference::Missing { number, log: log.clone() },
            });
        }
        let unexpected =
            |at: usize| Some(Difference::Unexpected { number: at + 1, log: received.get(at)?.clone() });
        differences.extend(extra.into_iter().filter_map(unexpected));
        // One that is missing and one that is not expected are most likely the same one, changed.
        let unexpected_ones =
            differences.iter().filter(|d| matches!(d, Difference::Unexpected { .. })).count();
        let count = differences.len() + further - unexpected_ones.min(further);
        differences.truncate(DIFFERENCES_MAX);
        (differences, count)
    }
}

/// Places in both lists whose logs are not the same.
fn out_of_place(golden: &[Row], received: &[Row]) -> (Vec<usize>, Vec<usize>) {
    let differ = |at: &usize| golden.get(*at) != received.get(*at);
    ((0..golden.len()).filter(differ).collect(), (0..received.len()).filter(differ).collect())
}

/// Logs of each list that are not, or not as often, in the other.
fn unpaired(golden: &[Row], received: &[Row]) -> (Vec<usize>, Vec<usize>) {
    let mut waiting: HashMap<&[(String, String)], Vec<usize>> = HashMap::new();
    for (at, log) in golden.iter().enumerate().rev() {
        waiting.entry(&log.0).or_default().push(at);
    }
    let unexpected = |(at, log): (usize, &Row)| match waiting.get_mut(&*log.0).and_then(Vec::pop) {
        Some(_) => None,
        None => Some(at),
    };
    let extra = received.iter().enumerate().filter_map(unexpected).collect();
    let mut lacking: Vec<usize> = waiting.into_values().flatten().collect();
    lacking.sort_unstable();
    (lacking, extra)
}

/// Position among `candidates` of the log that shares most columns with this one; nothing if none
/// shares a column.
fn most_alike(log: &Row, logs: &[Row], candidates: &[usize]) -> Option<usize> {
    let shared = |other: &Row| log.0.iter().filter(|column| other.0.contains(column)).count();
    let scored = candidates
        .iter()
        .take(PAIRED_MAX)
        .enumerate()
        .filter_map(|(position, at)| Some((shared(logs.get(*at)?), position)));
    scored
        .filter(|(shared, _)| *shared > 0)
        .max_by_key(|(shared, position)| (*shared, usize::MAX - position))
        .map(|(_, position)| position)
}

fn columns(golden: &Row, received: Option<&Row>) -> Vec<(String, Option<String>, Option<String>)> {
    let got = |name: &str| received.and_then(|row| row.get(name)).map(str::to_owned);
    let mut columns: Vec<_> = golden
        .0
        .iter()
        .map(|(name, value)| (name.clone(), Some(value.clone()), got(name)))
        .filter(|(_, expected, got)| expected != got)
        .collect();
    let further = received.iter().flat_map(|row| &row.0).filter(|(name, _)| golden.get(name).is_none());
    columns.extend(further.map(|(name, value)| (name.clone(), None, Some(value.clone()))));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str) -> Vec<Row> {
        serde_json::from_str(json).unwrap()
    }

    fn differences(golden: &Golden, received: &str) -> String {
        let (differences, count) = golden.differences(&rows(received));
        assert_eq!(differences.len(), count);
        serde_json::to_string(&differences).unwrap()
    }

    #[test]
    fn what_varies_is_made_the_same() {
        let golden = Golden {
            logs: rows(r#"[{"content":"<time> [error] x","__time__":"<time>","n":"1"}]"#),
            normalize_time: true,
            ..Golden::default()
        };
        for content in [
            "2026/11/28 13:00:01 [error] x",
            "2026-11-28T13:00:01.5Z [error] x",
            "28/Nov/2026:13:00:01 +0800 [error] x",
        ] {
            let received =
                format!(r#"[{{"n":"1","content":"{content}","__time__":"5","__tag__:__pack_id__":"A-1"}}]"#);
            assert_eq!(differences(&golden, &received), "[]", "{content}");
        }
    }

    #[test]
    fn differences_name_the_log_and_the_column() {
        let golden = Golden { logs: rows(r#"[{"a":"1"},{"a":"2","b":"x"}]"#), ..Golden::default() };
        assert_eq!(
            differences(&golden, r#"[{"a":"1"},{"a":"3","b":"x"}]"#),
            r#"[{"kind":"differs","number":2,"columns":[["a","2","3"]]}]"#
        );
        assert_eq!(
            differences(&golden, r#"[{"a":"1"}]"#),
            r#"[{"kind":"missing","number":2,"log":{"a":"2","b":"x"}}]"#
        );
        assert_eq!(
            differences(&golden, r#"[{"a":"1"},{"a":"2","b":"x"},{"c":"4"}]"#),
            r#"[{"kind":"unexpected","number":3,"log":{"c":"4"}}]"#
        );
    }

    #[test]
    fn without_order_the_most_alike_are_held_against_each_other() {
        let golden = Golden {
            logs: rows(r#"[{"a":"1","b":"x"},{"a":"2","b":"y"},{"a":"2","b":"y"}]"#),
            unordered: true,
            ..Golden::default()
        };
        assert_eq!(differences(&golden, r#"[{"a":"2","b":"y"},{"a":"1","b":"x"},{"a":"2","b":"y"}]"#), "[]");
        assert_eq!(
            differences(&golden, r#"[{"a":"2","b":"y"},{"a":"9","b":"x"},{"a":"7","b":"z"}]"#),
            r#"[{"kind":"differs","number":1,"columns":[["a","1","9"]]},{"kind":"missing","number":3,"log":{"a":"2","b":"y"}},{"kind":"unexpected","number":3,"log":{"a":"7","b":"z"}}]"#
        );
    }
}
