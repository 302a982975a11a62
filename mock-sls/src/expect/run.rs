//! Waits until an expectation is decided: looks, and looks again when something has happened.

use std::sync::Arc;

use serde_json::Value;
use sls_api::ops::logs::Row;
use sls_expect::expectation::{Checked, GOLDEN_LOGS_MAX, LOGS_SHOWN_MAX};
use sls_expect::golden::{DIFFERENCES_MAX, Difference};
use sls_expect::watch::Decision;
use sls_expect::{Count, Ending, Explanation, Golden, Verdict};

use super::explain::{self, Show};
use super::look::{Seen, Wanted};
use super::selector::Selector;
use super::waiting::Waiting;
use crate::app::App;
use crate::error::ApiError;

/// Columns that every row of SQL has besides those that are selected. Source: recorded answers.
const ADDED_COLUMNS: [&str; 2] = ["__source__", "__time__"];

/// An expectation on its way to its verdict.
pub struct Run {
    app: Arc<App>,
    selector: Arc<Selector>,
    wanted: Arc<Wanted>,
    checked: Checked,
    golden: Option<Arc<Golden>>,
    /// Unix ms.
    began_at: i64,
}

/// What is not as it should be.
struct Wrong {
    explanation: Explanation,
    ending: Ending,
}

impl Wrong {
    fn new(why: String, ending: Ending) -> Self {
        Self { explanation: Explanation { why, ..Explanation::default() }, ending }
    }

    fn differs(why: String, differences: Vec<Difference>, different: usize) -> Self {
        let different = different as u64;
        let explanation = Explanation { why, differences, different, ..Explanation::default() };
        Self { explanation, ending: Ending::Failed }
    }
}

/// `1 log is`, `2 logs are`.
fn are(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what} is"),
        _ => format!("{number} {what}s are"),
    }
}

impl Run {
    /// Begins now, and keeps at most so many bytes of logs.
    pub fn new(app: &Arc<App>, selector: Selector, mut checked: Checked, logs_bytes_max: usize) -> Self {
        let golden = checked.asked.golden.take().map(Arc::new);
        let logs_max = match (&golden, &checked.asked.rows, checked.asked.logs) {
            // One more than can be right, so that a log too many is seen.
            (Some(_), ..) | (_, Some(_), _) => GOLDEN_LOGS_MAX + 1,
            (.., true) => LOGS_SHOWN_MAX,
            _ => 0,
        };
        let each = std::mem::take(&mut checked.each);
        let wanted = Wanted { each, logs_max, logs_bytes_max, ..Wanted::default() };
        Self {
            app: Arc::clone(app),
            selector: Arc::new(selector),
            wanted: Arc::new(wanted),
            checked,
            golden,
            began_at: app.clock.now().as_millisecond(),
        }
    }

    /// Waits for the verdict. `here` is where the asker reaches this server.
    ///
    /// # Errors
    /// The store fails.
    pub async fn verdict(self, here: &str) -> Result<Verdict, ApiError> {
        let Checked { timeout_ms, stable_ms, .. } = self.checked;
        let mut waiting = Waiting::new(&self.app, &self.selector, self.watched(), timeout_ms, stable_ms);
        let mut seen = Seen::default();
        loop {
            let (selector, wanted) = (Arc::clone(&self.selector), Arc::clone(&self.wanted));
            seen = waiting.look(move |snapshot| seen.look(snapshot, &selector, &wanted)).await?;
            let wrong = self.wrong(&seen);
            let decision = waiting.saw(if self.is_answer() { wrong.is_none().into() } else { seen.count });
            // A log stays as it is; an answer may yet become another.
            let failed = match (decision, wrong) {
                (_, Some(wrong)) if seen.violating > 0 && !self.is_answer() => Some(wrong),
                (Decision::TooMany | Decision::TooFew | Decision::Holds, Some(wrong)) => Some(wrong),
                (Decision::Holds, None) => match self.unlike_golden(&mut seen).await? {
                    None => return Ok(self.told(Ending::Passed, seen, None, waiting.elapsed_ms())),
                    wrong => wrong,
                },
                _ => None,
            };
            if let Some(Wrong { explanation, ending }) = failed {
                let explanation = self.explained(explanation, &seen, ending, here).await?;
                return Ok(self.told(ending, seen, Some(Box::new(explanation)), waiting.elapsed_ms()));
            }
            waiting.again(decision).await?;
        }
    }

    /// How the logs are not the golden ones. Looked at once, when there are as many: it takes long.
    async fn unlike_golden(&self, seen: &mut Seen) -> Result<Option<Wrong>, ApiError> {
        let Some(golden) = self.golden.clone() else { return Ok(None) };
        let logs = std::mem::take(&mut seen.logs);
        let comparing = tokio::task::spawn_blocking(move || {
            let differences = golden.differences(&logs);
            (differences, logs)
        });
        let ((differences, different), logs) =
            comparing.await.map_err(|error| ApiError::Internal(format!("the comparison failed: {error}")))?;
        seen.logs = logs;
        let why = format!("{} not as in the golden file", are(different as u64, "log"));
        Ok((different > 0).then(|| Wrong::differs(why, differences, different)))
    }

    /// Whether rows of an answer are looked at, which may all become others with the next log.
    fn is_answer(&self) -> bool {
        self.selector.has_rows || self.checked.asked.rows.is_some()
    }

    /// What is counted: logs, or whether the answer is as it should be.
    fn watched(&self) -> Count {
        match (self.is_answer(), self.checked.asked.rows.is_some(), self.checked.count.bounds()) {
            (false, ..) => self.checked.count,
            (true, false, (_, None)) => Count::AtLeast { n: 1 },
            (true, ..) => Count::Exactly { n: 1 },
        }
    }

    /// What is not (yet) as it should be.
    fn wrong(&self, seen: &Seen) -> Option<Wrong> {
        let asked = &self.checked.asked;
        let (fewest, most) = self.checked.count.bounds();
        // Also where no log is expected: a misspelt name must not pass.
        if let Some(problem) = &seen.problem {
            return Some(Wrong::new(format!("nothing can be searched: {problem}"), Ending::Failed));
        }
        if seen.is_cut() && (asked.rows.is_some() || self.golden.is_some()) {
            let max = self.wanted.logs_bytes_max;
            let why = format!("there are more than {max} bytes to compare: ask for fewer at a time");
            return Some(Wrong::new(why, Ending::Failed));
        }
        if let Some(rows) = &asked.rows {
            let (differences, different) = row_differences(rows, &seen.logs);
            let why = format!("{} not as expected", are(different as u64, "row"));
            return (different > 0).then(|| Wrong::differs(why, differences, different));
        }
        if seen.violating > 0 {
            return Some(Wrong::new(
                format!("{} not as each must be", are(seen.violating, "log")),
                Ending::Failed,
            ));
        }
        if seen.count < fewest {
            let ending = if seen.count == 0 { Ending::Failed } else { Ending::TimedOut };
            let seconds = self.checked.timeout_ms as f64 / 1_000.0;
            let why = format!("{} missing after {seconds} s", are(fewest - seen.count, "log"));
            return Some(Wrong::new(why, ending));
        }
        if let Some(many) = most.map(|most| seen.count.saturating_sub(most)).filter(|many| *many > 0) {
            return Some(Wrong::new(format!("{} too many", are(many, "log")), Ending::Failed));
        }
        None
    }

    async fn explained(
        &self,
        explanation: Explanation,
        seen: &Seen,
        ending: Ending,
        here: &str,
    ) -> Result<Explanation, ApiError> {
        let many = matches!(ending, Ending::Failed) && seen.count > 0;
        let show = Show { nearest: !many, last: many };
        let studied = explain::study(&self.app, &self.selector, show, Some(self.began_at)).await?;
        Ok(Explanation {
            timeline: seen.timeline(self.began_at),
            violations: seen.violations.clone(),
            violating: seen.violating,
            terms: studied.terms,
            nearest: studied.nearest,
            last: studied.last,
            hints: studied.hints,
            curl: self.selector.curl(here, self.checked.asked.scope.as_deref()),
            ..explanation
        })
    }

    fn told(
        &self,
        ending: Ending,
        mut seen: Seen,
        explanation: Option<Box<Explanation>>,
        elapsed_ms: u64,
    ) -> Verdict {
        let asked = &self.checked.asked;
        if !asked.logs {
            seen.logs.clear();
        }
        seen.logs.truncate(LOGS_SHOWN_MAX);
        Verdict {
            name: asked.title(),
            ok: ending == Ending::Passed,
            ending,
            expected: match (&asked.rows, &self.golden) {
                (Some(rows), _) => format!("an answer of {} rows", rows.len()),
                (_, Some(golden)) => format!("the {} golden logs", golden.logs.len()),
                _ => self.checked.count.to_string(),
            },
            count: seen.count,
            elapsed_ms,
            logs: seen.logs,
            explanation,
        }
    }
}

/// How the rows of an answer are not those that are expected, and how many are not.
fn row_differences(expected: &[Value], got: &[Row]) -> (Vec<Difference>, usize) {
    let mut differences = Vec::new();
    for at in 0..expected.len().max(got.len()) {
        let number = at + 1;
        match (expected.get(at), got.get(at)) {
            (Some(expected), Some(got)) => {
                let columns = column_differences(expected, got);
                if !columns.is_empty() {
                    differences.push(Difference::Differs { number, columns });
                }
            }
            (Some(expected), None) => {
                let columns = named(expected, &Row::default());
                let columns = columns.into_iter().map(|(name, value)| (name, value.unwrap_or_default()));
                differences.push(Difference::Missing { number, log: Row(columns.collect()) });
            }
            (None, Some(got)) => {
                let log = Row(own(got).cloned().collect());
                differences.push(Difference::Unexpected { number, log });
            }
            (None, None) => {}
        }
    }
    let count = differences.len();
    differences.truncate(DIFFERENCES_MAX);
    (differences, count)
}

type ColumnDifference = (String, Option<String>, Option<String>);

fn column_differences(expected: &Value, got: &Row) -> Vec<ColumnDifference> {
    let expected = named(expected, got);
    let further = own(got).filter(|(name, _)| !expected.iter().any(|(known, _)| known == name));
    let further = further.map(|(name, _)| (name.clone(), None)).collect::<Vec<_>>();
    let all = expected.into_iter().chain(further);
    let with_got = all.map(|(name, value)| {
        let got = got.get(&name).map(str::to_owned);
        (name, value, got)
    });
    with_got.filter(|(_, expected, got)| expected != got).collect()
}

/// The columns that a statement selects: the service adds others to each row.
fn own(row: &Row) -> impl Iterator<Item = &(String, String)> {
    row.0.iter().filter(|(name, _)| !ADDED_COLUMNS.contains(&name.as_str()))
}

/// An expected row by its columns: an array has the names of the answer, by position.
fn named(expected: &Value, got: &Row) -> Vec<(String, Option<String>)> {
    match expected {
        Value::Object(columns) => {
            columns.iter().map(|(name, value)| (name.clone(), Some(text(value)))).collect()
        }
        Value::Array(values) => {
            let name = |at: usize| {
                own(got).nth(at).map_or_else(|| format!("column {}", at + 1), |(name, _)| name.clone())
            };
            values.iter().enumerate().map(|(at, value)| (name(at), Some(text(value)))).collect()
        }
        single => vec![(
            own(got).next().map_or_else(|| "column 1".to_owned(), |(name, _)| name.clone()),
            Some(text(single)),
        )],
    }
}

/// A value as answers write it: every one is a text, NULL is `null`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_compared_as_texts_by_name_or_by_place() {
        let got: Vec<Row> =
            serde_json::from_value(json!([{"status": "200", "c": "3"}, {"status": "404", "c": "1"}]))
                .unwrap();
        let differences = |expected: Value| {
            let expected = expected.as_array().unwrap().clone();
            serde_json::to_value(row_differences(&expected, &got).0).unwrap()
        };
        assert_eq!(differences(json!([[200, 3], ["404", 1]])), json!([]));
        assert_eq!(differences(json!([{"c": 3, "status": "200"}, {"status": 404, "c": 1}])), json!([]));
        assert_eq!(
            differences(json!([[200, 4], {"status": "404"}, [500, 1]])),
            json!([
                {"kind": "differs", "number": 1, "columns": [["c", "4", "3"]]},
                {"kind": "differs", "number": 2, "columns": [["c", null, "1"]]},
                {"kind": "missing", "number": 3, "log": {"column 1": "500", "column 2": "1"}},
            ])
        );
        assert_eq!(
            differences(json!([[200, 3]])),
            json!([{"kind": "unexpected", "number": 2, "log": {"status": "404", "c": "1"}}])
        );
    }
}
