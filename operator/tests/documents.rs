//! The documents say what is there, and no more.

use std::collections::BTreeSet;

use operator::metrics::Metrics;

const OPERATOR: &str = include_str!("../../docs/operator.md");

#[test]
fn every_metric_is_documented_and_no_other() {
    let rendered = Metrics::default().render();
    let help = rendered.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let there: BTreeSet<&str> = help.map(|(name, _)| name).collect();
    let rows =
        OPERATOR.lines().filter_map(|line| line.strip_prefix("| `sls_operator_")?.split(['`', '{']).next());
    let told: BTreeSet<String> = rows.map(|name| format!("sls_operator_{name}")).collect();
    assert_eq!(there.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), told);
}
