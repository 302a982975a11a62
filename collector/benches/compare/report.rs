//! What is printed: a line for each figure of each collector, ours with its goal, and the ratios to the peers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cases::Measured;
use crate::goals;

/// What is shown of a measurement: the unit, and the figure in it.
pub type Figures<'a> = &'a [(&'a str, fn(&Measured) -> f64)];

/// Figures by name, in the order in which they came, with a value for each collector.
#[derive(Default)]
pub struct Report {
    figures: Vec<(String, BTreeMap<String, f64>)>,
    descriptions: Vec<String>,
    missing: Vec<String>,
    problems: Vec<String>,
    is_quiet: bool,
}

impl Report {
    /// One that prints nothing before [`Report::finish`].
    pub fn quiet(is_quiet: bool) -> Self {
        Self { is_quiet, ..Self::default() }
    }

    pub fn describe(&mut self, descriptions: Vec<String>, missing: Vec<String>) {
        for line in descriptions.iter().chain(&missing) {
            self.say(line);
        }
        (self.descriptions, self.missing) = (descriptions, missing);
    }

    fn say(&self, line: &str) {
        if !self.is_quiet {
            println!("{line}");
        }
    }

    /// Takes the median of each figure of some runs of one case.
    pub fn add(
        &mut self,
        subject: &str,
        case: &str,
        runs: &[Result<Measured, String>],
        figures: Figures<'_>,
    ) {
        for run in runs {
            let problems = match run {
                Ok(measured) => measured.problems.clone(),
                Err(problem) => vec![problem.clone()],
            };
            for problem in problems {
                let line = format!("{subject}, {case}: {problem}");
                self.say(&format!("PROBLEM {line}"));
                self.problems.push(line);
            }
        }
        let runs: Vec<&Measured> = runs.iter().flatten().collect();
        if runs.is_empty() {
            return;
        }
        let mut shown = Vec::new();
        for (unit, value) in figures {
            let mut values: Vec<f64> = runs.iter().map(|run| value(run)).collect();
            values.sort_unstable_by(f64::total_cmp);
            let median = values[values.len() / 2];
            let name = format!("{case}, {unit}");
            shown.push(format!("{median:.2} {unit}"));
            match self.figures.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => drop(values.insert(subject.to_owned(), median)),
                None => self.figures.push((name, BTreeMap::from([(subject.to_owned(), median)]))),
            }
        }
        self.say(&format!("{case:<16} {subject:<10} {}", shown.join("  ")));
    }

    /// Prints the summary; false if something was lost, repeated or not measured.
    pub fn finish(self, ours: &str, as_json: bool) -> bool {
        if as_json {
            println!("{:#}", self.json(ours));
        } else {
            self.print(ours);
        }
        self.problems.is_empty()
    }

    fn print(&self, ours: &str) {
        println!();
        for (name, values) in &self.figures {
            let Some(value) = values.get(ours) else { continue };
            let Some(goal) = goals::of(name) else { continue };
            let ratios: String = values
                .iter()
                .filter(|(subject, peer)| *subject != ours && **peer > 0.0)
                .map(|(subject, peer)| format!("; {:.2} of {subject}", value / peer))
                .collect();
            println!(
                "figure: {name}: {value:.2} (must {}, aim {}): {}{ratios}",
                goal.must,
                goal.aim,
                goal.verdict(*value)
            );
        }
        for problem in &self.problems {
            println!("PROBLEM {problem}");
        }
        for missing in &self.missing {
            println!("{missing}");
        }
    }

    fn json(&self, ours: &str) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|(name, values)| {
                let goal = goals::of(name);
                let value = values.get(ours).copied();
                let ratios: BTreeMap<&String, f64> = values
                    .iter()
                    .filter(|(subject, peer)| *subject != ours && **peer > 0.0)
                    .filter_map(|(subject, peer)| Some((subject, value? / peer)))
                    .collect();
                json!({
                    "figure": name, "values": values, "ratios": ratios,
                    "must": goal.map(|goal| goal.must), "aim": goal.map(|goal| goal.aim),
                    "verdict": goal.zip(value).map(|(goal, value)| goal.verdict(value)),
                })
            })
            .collect();
        json!({
            "collectors": self.descriptions, "not_measured": self.missing, "problems": self.problems,
            "figures": figures,
        })
    }
}
