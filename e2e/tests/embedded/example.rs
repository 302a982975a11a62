//! The run of `cargo e2e`, as a test: with namespaces where the system allows them, and without.

use std::time::Duration;

use crate::bed;
use e2e::example::{self, Plan};
use e2e::pods::Isolation;
use e2e::progress::Progress;
use e2e::scenario::{Load, Scenario};

fn plan() -> Plan {
    let load = Load { lines: 300, per_second: 200 };
    Plan { load, outage: None, scenarios: Scenario::EXAMPLE.to_vec() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_example_arrives_exactly_once() {
    let folder = bed::Folder::new();
    let report = example::run(bed::options(&folder), &plan(), &Progress::silent()).await;
    assert!(report.ok, "{}", report.to_text());
    assert_eq!(report.streams.len(), 10, "two logs of two Jobs and three replicas: {}", report.to_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_also_runs_without_namespaces() {
    let folder = bed::Folder::new();
    let mut options = bed::options(&folder);
    options.isolation = Isolation::Prefix;
    let report = example::run(options, &plan(), &Progress::silent()).await;
    assert!(report.ok, "{}", report.to_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_arrives_though_the_service_goes_whatever_each_scenario_is_at() {
    let folder = bed::Folder::new();
    // Of this many lines the Job still writes when the service has gone.
    let load = Load { lines: 1000, per_second: 100 };
    let plan = Plan { load, outage: Some(Duration::from_secs(5)), ..plan() };
    let report = example::run(bed::options(&folder), &plan, &Progress::silent()).await;
    assert!(report.ok, "{}", report.to_text());
    let outage = report.checks.iter().find(|check| check.name.contains("away")).expect("a check");
    assert!(outage.detail.starts_with("5 s, "), "{}", outage.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_in_which_nobody_writes_shows_nothing_and_fails_the_run() {
    let folder = bed::Folder::new();
    let plan = Plan { outage: Some(Duration::from_secs(1)), scenarios: vec![Scenario::Schema], ..plan() };
    let report = example::run(bed::options(&folder), &plan, &Progress::silent()).await;
    let failed: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
    assert!(!report.ok && failed.len() == 1, "{}", report.to_text());
    assert_eq!(failed[0].detail, "no scenario of this run writes lines");
}
