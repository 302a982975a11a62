//! A verdict as text: a stranger can tell from it what went wrong.

use std::fmt::Write;

use sls_api::ops::logs::Row;

use super::seconds;
use crate::golden::Difference;
use crate::verdict::{Explanation, Moment, Verdict};

/// Characters of a log that are shown (own choice: a few lines of a terminal).
const LOG_CHARS_MAX: usize = 400;

/// The verdict, with a line break at the end.
pub fn text(verdict: &Verdict) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = write(&mut out, verdict);
    out
}

fn write(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    let logs = if verdict.count == 1 { "log" } else { "logs" };
    let took = seconds(verdict.elapsed_ms);
    if verdict.ok {
        return writeln!(
            out,
            "ok      {}: {} {logs} ({}), after {took:.3} s",
            verdict.name, verdict.count, verdict.expected
        );
    }
    writeln!(out, "FAILED  {}", verdict.name)?;
    writeln!(out, "  expected  {}", verdict.expected)?;
    writeln!(out, "  got       {} {logs}, after {took:.3} s", verdict.count)?;
    match &verdict.explanation {
        Some(explanation) => explain(out, explanation),
        None => Ok(()),
    }
}

fn explain(out: &mut String, explanation: &Explanation) -> std::fmt::Result {
    writeln!(out, "  why       {}", explanation.why)?;
    if !explanation.timeline.is_empty() {
        let moments: Vec<String> = explanation.timeline.iter().map(moment).collect();
        writeln!(out, "  timeline  {}", moments.join(", "))?;
    }
    if !explanation.violations.is_empty() {
        writeln!(out, "  logs that are not as each must be ({} in all)", explanation.violating)?;
        for (number, violation) in (1..).zip(&explanation.violations) {
            writeln!(out, "    {number}. {}", shown(&violation.log))?;
            for wrong in &violation.wrong {
                writeln!(out, "       {wrong}")?;
            }
        }
    }
    if !explanation.differences.is_empty() {
        writeln!(out, "  differences ({} in all)", explanation.different)?;
        explanation.differences.iter().try_for_each(|difference| differs(out, difference))?;
    }
    if !explanation.terms.is_empty() {
        writeln!(out, "  each part of the search alone finds")?;
        for term in &explanation.terms {
            writeln!(out, "    {:>9}  {}", term.hits, term.term)?;
        }
    }
    if !explanation.nearest.is_empty() {
        writeln!(out, "  nearest logs that are not found")?;
        for (number, near) in (1..).zip(&explanation.nearest) {
            writeln!(out, "    {number}. {}", shown(&near.log))?;
            for miss in &near.misses {
                match &miss.found {
                    Some(found) => writeln!(out, "       does not hold: {} (it is {found:?})", miss.term)?,
                    None => writeln!(out, "       does not hold: {}", miss.term)?,
                }
            }
        }
    }
    if !explanation.last.is_empty() {
        writeln!(out, "  the last logs that are found")?;
        for log in &explanation.last {
            writeln!(out, "    {}", shown(log))?;
        }
    }
    if !explanation.hints.is_empty() {
        writeln!(out, "  hints")?;
        for hint in &explanation.hints {
            writeln!(out, "    - {hint}")?;
        }
    }
    if !explanation.curl.is_empty() {
        writeln!(out, "  see for yourself\n    {}", explanation.curl)?;
    }
    Ok(())
}

fn moment(moment: &Moment) -> String {
    format!("{} at {:.3} s", moment.count, moment.ms as f64 / 1_000.0)
}

fn differs(out: &mut String, difference: &Difference) -> std::fmt::Result {
    match difference {
        Difference::Missing { number, log } => writeln!(out, "    {number}. is missing: {}", shown(log)),
        Difference::Unexpected { number, log } => {
            writeln!(out, "    received {number}. is not expected: {}", shown(log))
        }
        Difference::Differs { number, columns } => {
            for (name, expected, got) in columns {
                let told = |value: &Option<String>| match value {
                    Some(value) => format!("{value:?}"),
                    None => "not there".to_owned(),
                };
                writeln!(out, "    {number}. {name}: expected {}, got {}", told(expected), told(got))?;
            }
            Ok(())
        }
    }
}

/// A log on one line, cut where it is long.
fn shown(log: &Row) -> String {
    let json = serde_json::to_string(log).unwrap_or_default();
    match json.char_indices().nth(LOG_CHARS_MAX) {
        Some((at, _)) => format!("{}… ({} bytes in all)", &json[..at], json.len()),
        None => json,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::verdict::{Ending, Miss, Near, TermHits, Violation};

    fn row(json: &str) -> Row {
        serde_json::from_str(json).unwrap()
    }

    fn verdict(explanation: Explanation) -> Verdict {
        Verdict {
            name: "p/l: status:500 and web".to_owned(),
            ok: false,
            ending: Ending::TimedOut,
            expected: "exactly 3 logs".to_owned(),
            count: 1,
            elapsed_ms: 30_001,
            logs: Vec::new(),
            explanation: Some(Box::new(explanation)),
        }
    }

    #[test]
    fn a_failure_tells_a_stranger_what_went_wrong() {
        let explanation = Explanation {
            why: "the time is over and 2 are missing".to_owned(),
            timeline: vec![Moment { ms: -20, count: 0 }, Moment { ms: 350, count: 1 }],
            terms: vec![
                TermHits { term: "status:500".to_owned(), hits: 1 },
                TermHits { term: "web".to_owned(), hits: 7 },
            ],
            nearest: vec![Near {
                log: row(r#"{"status":"50","host":"web"}"#),
                misses: vec![Miss { term: "status:500".to_owned(), found: Some("50".to_owned()) }],
            }],
            hints: vec!["2 logs match outside of the time window".to_owned()],
            curl: "curl -s http://127.0.0.1:8080/_mock/v1/explain".to_owned(),
            ..Explanation::default()
        };
        expect![[r#"
            FAILED  p/l: status:500 and web
              expected  exactly 3 logs
              got       1 log, after 30.001 s
              why       the time is over and 2 are missing
              timeline  0 at -0.020 s, 1 at 0.350 s
              each part of the search alone finds
                        1  status:500
                        7  web
              nearest logs that are not found
                1. {"status":"50","host":"web"}
                   does not hold: status:500 (it is "50")
              hints
                - 2 logs match outside of the time window
              see for yourself
                curl -s http://127.0.0.1:8080/_mock/v1/explain
        "#]]
        .assert_eq(&text(&verdict(explanation)));
    }

    #[test]
    fn wrong_logs_and_differences_are_shown() {
        let explanation = Explanation {
            why: "1 log is not as each must be".to_owned(),
            violations: vec![Violation {
                log: row(r#"{"status":"500"}"#),
                wrong: vec![r#"status is "200", but it is "500""#.to_owned()],
            }],
            violating: 1,
            differences: vec![
                Difference::Differs {
                    number: 2,
                    columns: vec![("a".to_owned(), Some("1".to_owned()), None)],
                },
                Difference::Missing { number: 3, log: row(r#"{"a":"3"}"#) },
                Difference::Unexpected { number: 4, log: row(r#"{"a":"4"}"#) },
            ],
            different: 3,
            ..Explanation::default()
        };
        expect![[r#"
            FAILED  p/l: status:500 and web
              expected  exactly 3 logs
              got       1 log, after 30.001 s
              why       1 log is not as each must be
              logs that are not as each must be (1 in all)
                1. {"status":"500"}
                   status is "200", but it is "500"
              differences (3 in all)
                2. a: expected "1", got not there
                3. is missing: {"a":"3"}
                received 4. is not expected: {"a":"4"}
        "#]]
        .assert_eq(&text(&verdict(explanation)));
    }

    #[test]
    fn a_success_takes_one_line() {
        let verdict = Verdict {
            ok: true,
            ending: Ending::Passed,
            explanation: None,
            elapsed_ms: 12,
            ..verdict(Explanation::default())
        };
        assert_eq!(
            text(&verdict),
            "ok      p/l: status:500 and web: 1 log (exactly 3 logs), after 0.012 s\n"
        );
    }

    #[test]
    fn long_logs_are_cut_between_characters() {
        let log = Row(vec![("a".to_owned(), "ä".repeat(1_000))]);
        assert!(shown(&log).ends_with("… (2008 bytes in all)"), "{}", shown(&log));
    }
}
