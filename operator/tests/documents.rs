//! The documents say what is there, and no more.

use std::collections::BTreeSet;
use std::path::Path;

use operator::metrics::Metrics;
use operator::webhook::figures::Figures;

const OPERATOR: &str = include_str!("../../docs/operator.md");

const INJECT: &str = include_str!("../../docs/inject.md");

const PROOF: &str = include_str!("../../docs/operator-proof.md");

#[test]
fn every_test_that_proves_something_is_there() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = crate_folder.parent().unwrap();
    let named: Vec<(&str, &str)> = PROOF.split('`').filter_map(|text| text.split_once("::")).collect();
    assert!(named.len() > 60, "{} tests are named", named.len());
    let mut missing = Vec::new();
    for (file, name) in named {
        let folder = if file.starts_with("crates/") { workspace } else { crate_folder };
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        // What is commented out, or no test any more, does not count.
        let declared = [format!("fn {name}()"), format!("fn {name}(\n")];
        let is_test = declared.iter().any(|declared| {
            text.find(declared.as_str())
                .is_some_and(|at| text[..at].lines().rev().take(4).any(|line| line.contains("test")))
        });
        if !is_test {
            missing.push(format!("{file}::{name}"));
        }
    }
    assert!(missing.is_empty(), "docs/operator-proof.md names what is not there: {missing:#?}");
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let rendered = Metrics::default().render() + &Figures::default().render();
    let help = rendered.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let there: BTreeSet<&str> = help.map(|(name, _)| name).collect();
    let lines = OPERATOR.lines().chain(INJECT.lines());
    let rows = lines.filter_map(|line| line.strip_prefix("| `sls_operator_")?.split(['`', '{']).next());
    let told: BTreeSet<String> = rows.map(|name| format!("sls_operator_{name}")).collect();
    assert_eq!(there.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), told);
}
