//! The result of a run, for people and for programs.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::received::Stream;

/// One thing that was asserted besides the lines.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The scenario that asserted it; empty outside of a run of several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scenario: String,
    /// A sentence that is true when `ok`.
    pub name: String,
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

impl Check {
    pub fn new(name: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self { scenario: String::new(), name: name.into(), ok, detail: detail.into() }
    }
}

/// A number that the run measured. Figures are for people and trends: a goal that is missed on a busy
/// machine fails nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// The most it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, goal: None }
    }

    /// The same with the most it should be.
    #[must_use]
    pub fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    fn to_text(&self) -> String {
        let goal = self.goal.map_or(String::new(), |goal| {
            let verdict = if self.value <= goal { "met" } else { "MISSED" };
            format!(" (goal: at most {goal} {}, {verdict})", self.unit)
        });
        format!("figure: {}: {:.1} {}{goal}", self.name, self.value, self.unit)
    }
}

/// How one scenario of a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Passed,
    Failed,
    /// The bed has not what it needs.
    NotOnThisBed,
}

/// One scenario of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub name: &'static str,
    pub result: Ending,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Why it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Outcome {
    fn to_text(&self) -> String {
        match (&self.result, &self.why) {
            (Ending::NotOnThisBed, why) => {
                format!("scenario {}: not on this bed: {}", self.name, why.as_deref().unwrap_or_default())
            }
            (ended, _) => {
                let word = if *ended == Ending::Passed { "passed" } else { "FAILED" };
                format!("scenario {}: {word} ({:.2} s)", self.name, self.seconds.unwrap_or_default())
            }
        }
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
    /// The scenarios of the run, also those that the bed cannot offer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
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
        self.figures.extend(other.figures);
        self.errors.extend(other.errors);
    }

    /// Adds what a scenario of the run found, under its name.
    pub fn add_scenario(&mut self, name: &'static str, seconds: f64, mut found: Self) {
        found.judge();
        found.streams.iter_mut().for_each(|stream| name.clone_into(&mut stream.scenario));
        found.checks.iter_mut().for_each(|check| name.clone_into(&mut check.scenario));
        found.errors.iter_mut().for_each(|error| error.insert_str(0, &format!("{name}: ")));
        let result = if found.ok { Ending::Passed } else { Ending::Failed };
        self.scenarios.push(Outcome { name, result, seconds: Some(seconds), why: None });
        self.merge(found);
    }

    /// Says of a scenario that was asked for why the bed cannot offer it.
    pub fn add_not_offered(&mut self, name: &'static str, why: String) {
        self.scenarios.push(Outcome { name, result: Ending::NotOnThisBed, seconds: None, why: Some(why) });
    }

    /// Judges: every line once, every check true, no error, and at least one line or check.
    pub fn judge(&mut self) {
        self.ok = self.errors.is_empty()
            && !(self.streams.is_empty() && self.checks.is_empty())
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
            let verdict = if check.ok { "ok  " } else { "FAIL" };
            let scenario =
                if check.scenario.is_empty() { String::new() } else { format!("{}: ", check.scenario) };
            let _ = writeln!(out, "{verdict}  {scenario}{}: {}", check.name, check.detail);
        }
        if !self.scenarios.is_empty() {
            out.push('\n');
        }
        for scenario in &self.scenarios {
            let _ = writeln!(out, "{}", scenario.to_text());
        }
        for figure in &self.figures {
            let _ = writeln!(out, "{}", figure.to_text());
        }
        for error in &self.errors {
            let _ = writeln!(out, "ERROR  {error}");
        }
        if let Some(evidence) = &self.evidence {
            let _ = writeln!(out, "evidence: {}", evidence.display());
        }
        let repeated: u64 = self.streams.iter().map(|stream| stream.duplicated).sum();
        let verdict = match (self.ok, repeated) {
            (false, _) => "FAILED".to_owned(),
            (true, 0) => "every line was received exactly once".to_owned(),
            (true, n) => format!("every line was received; {n} twice, where that is allowed"),
        };
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
            scenario: String::new(),
            logstore: "nginx-access".into(),
            source: "pod-a".into(),
            written: 10,
            received: 10 - missing,
            missing,
            duplicated: 0,
            duplicates_allowed: 0,
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
    fn what_the_bed_cannot_offer_is_said_and_fails_nothing() {
        let mut report = Report::default();
        let mut found = Report { streams: vec![stream(0)], ..Report::default() };
        found.checks.push(Check::new("it goes on", true, "yes"));
        found.figures.push(Figure::new("memory", 412.04, "MiB").at_most(300.0));
        report.add_scenario("scaling", 2.5, found);
        report.add_not_offered("roles", "no roles here".to_owned());
        report.judge();
        expect![[r#"
            LOGSTORE      SOURCE  WRITTEN  RECEIVED  MISSING  DUPLICATED
            nginx-access  pod-a        10        10        0           0

            ok    scaling: it goes on: yes

            scenario scaling: passed (2.50 s)
            scenario roles: not on this bed: no roles here
            figure: memory: 412.0 MiB (goal: at most 300 MiB, MISSED)

            every line was received exactly once (0.00 s)
        "#]]
        .assert_eq(&report.to_text());
    }

    #[test]
    fn one_failed_scenario_fails_the_run_under_its_name() {
        let mut report = Report::default();
        report.add_scenario("scaling", 1.0, Report { streams: vec![stream(0)], ..Report::default() });
        let failed = Report { errors: vec!["no pods".to_owned()], ..Report::default() };
        report.add_scenario("roles", 1.0, failed);
        report.judge();
        assert!(!report.ok);
        let results: Vec<&Ending> = report.scenarios.iter().map(|scenario| &scenario.result).collect();
        assert_eq!(results, [&Ending::Passed, &Ending::Failed]);
        assert_eq!(report.errors, ["roles: no pods"]);
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
