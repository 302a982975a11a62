//! Every scenario that the embedded bed can offer, side by side on one bed.

use crate::bed;
use e2e::example::{self, Plan};
use e2e::progress::Progress;
use e2e::report::Ending;
use e2e::scenario::{Load, Scenario};

/// What the embedded bed cannot offer.
const NOT_HERE: [Scenario; 3] = [Scenario::InjectedPolicy, Scenario::NetworkCut, Scenario::Roles];

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_of_the_list_passes_or_says_why_it_is_not_on_this_bed() {
    let folder = bed::Folder::new();
    let load = Load { lines: 200, per_second: 100 };
    let plan = Plan { load, outage: None, scenarios: Scenario::ALL.to_vec() };
    let report = example::run(bed::options(&folder), &plan, &Progress::silent()).await;
    assert!(report.ok, "{}", report.to_text());
    assert_eq!(report.scenarios.len(), Scenario::ALL.len(), "none is left out");
    for (outcome, scenario) in report.scenarios.iter().zip(Scenario::ALL) {
        assert_eq!(outcome.name, scenario.name());
        let expected = if NOT_HERE.contains(&scenario) { Ending::NotOnThisBed } else { Ending::Passed };
        assert_eq!(outcome.result, expected, "{outcome:?}");
        assert_eq!(outcome.why.is_some(), expected == Ending::NotOnThisBed, "{outcome:?}");
    }
    let text = report.to_text();
    for figure in ["median", "99th percentile", "20 pods", "everything is installed", "all scenarios"] {
        assert!(text.lines().any(|l| l.starts_with("figure: ") && l.contains(figure)), "{figure}: {text}");
    }
}
