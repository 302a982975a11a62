//! The result of a run, for people and for programs.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::account::Stream;

/// One thing that was asserted besides the lines.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// A sentence that is true when `ok`.
    pub name: String,
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

impl Check {
    pub fn new(name: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self { name: name.into(), ok, detail: detail.into() }
    }
}

/// The outcome of one or more scenarios.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Report {
    pub ok: bool,
    /// Wall time from the start of the bed to the last assertion.
    pub seconds: f64,
    pub streams: Vec<Stream>,
    pub checks: Vec<Check>,
    /// What went wrong before it could be counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Folder with component logs, objects and the emulator's database; kept after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<PathBuf>,
}

impl Report {
    /// Adds what another scenario found.
    pub fn merge(&mut self, other: Self) {
        self.streams.extend(other.streams);
        self.checks.extend(other.checks);
        self.errors.extend(other.errors);
    }

    /// Judges: every line once, every check true, no error, and at least one line counted.
    pub fn judge(&mut self) {
        self.ok = self.errors.is_empty()
            && !self.streams.is_empty()
            && self.streams.iter().all(|s| s.is_complete() && s.written > 0)
            && self.checks.iter().all(|check| check.ok);
    }

    /// A table of the streams, then the checks.
    pub fn to_text(&self) -> String {
        let header =
            ["LOGSTORE", "SOURCE", "WRITTEN", "RECEIVED", "MISSING", "DUPLICATED"].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(header)
            .chain(self.streams.iter().map(|s| {
                [
                    s.logstore.clone(),
                    s.source.clone(),
                    s.written.to_string(),
                    s.received.to_string(),
                    s.missing.to_string(),
                    s.duplicated.to_string(),
                ]
            }))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let mut out = String::new();
        for row in &rows {
            let _ = writeln!(
                out,
                "{:<w0$}  {:<w1$}  {:>w2$}  {:>w3$}  {:>w4$}  {:>w5$}",
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                row[5],
                w0 = width(0),
                w1 = width(1),
                w2 = width(2),
                w3 = width(3),
                w4 = width(4),
                w5 = width(5),
            );
        }
        for stream in self.streams.iter().filter(|s| !s.first_missing.is_empty()) {
            let numbers: Vec<String> = stream.first_missing.iter().map(u64::to_string).collect();
            let _ = writeln!(
                out,
                "missing in {} of {}: {} …",
                stream.logstore,
                stream.source,
                numbers.join(", ")
            );
        }
        out.push('\n');
        for check in &self.checks {
            let _ =
                writeln!(out, "{}  {}: {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail);
        }
        for error in &self.errors {
            let _ = writeln!(out, "ERROR  {error}");
        }
        if let Some(evidence) = &self.evidence {
            let _ = writeln!(out, "evidence: {}", evidence.display());
        }
        let verdict = if self.ok { "every line was received exactly once" } else { "FAILED" };
        let _ = writeln!(out, "\n{verdict} ({:.2} s)", self.seconds);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn stream(missing: u64) -> Stream {
        Stream {
            logstore: "nginx-access".into(),
            source: "pod-a".into(),
            written: 10,
            received: 10 - missing,
            missing,
            duplicated: 0,
            first_missing: if missing > 0 { vec![3] } else { vec![] },
        }
    }

    #[test]
    fn a_missing_line_fails_the_run_and_is_named() {
        let mut report = Report { streams: vec![stream(1)], seconds: 1.5, ..Report::default() };
        report.checks.push(Check::new("machine group has a heartbeat", true, "1 machine"));
        report.judge();
        expect![[r#"
            LOGSTORE      SOURCE  WRITTEN  RECEIVED  MISSING  DUPLICATED
            nginx-access  pod-a        10         9        1           0
            missing in nginx-access of pod-a: 3 …

            ok    machine group has a heartbeat: 1 machine

            FAILED (1.50 s)
        "#]]
        .assert_eq(&report.to_text());
    }

    #[test]
    fn a_run_that_counted_nothing_is_not_a_success() {
        let mut report = Report::default();
        report.judge();
        assert!(!report.ok);
        report.streams.push(stream(0));
        report.judge();
        assert!(report.ok);
    }
}
