//! Two operators for the same objects: one of them works, the other takes over. Real processes, and what Log Service
//! was asked by whom as evidence.

mod support;

use std::time::{Duration, Instant};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use kube_sim::{Effect, Fault};
use rustix::process::Signal;
use serde_json::{Value, json};
use sls_expect::journal::Filter;
use support::program::Program;
use support::*;

/// A Lease that runs out soon.
const SHORT: [&str; 4] =
    ["--leader-elect", "--lease-duration=6s", "--renew-deadline=4s", "--retry-period=500ms"];
/// A Lease that does not run out during a test: who gets it was given it.
const LONG: [&str; 4] =
    ["--leader-elect", "--lease-duration=600s", "--renew-deadline=300s", "--retry-period=300ms"];

async fn start(bed: &Bed, name: &str, timing: [&str; 4]) -> Program {
    let namespace = format!("--leader-elect-namespace={}", bed.namespace());
    let args: Vec<&str> = timing.into_iter().chain([namespace.as_str()]).collect();
    Program::named(bed, name, &args).await
}

fn leases(bed: &Bed) -> Api<Lease> {
    Api::namespaced(bed.kube.clone(), bed.namespace())
}

/// Waits until the process called `name` holds the Lease.
async fn leads(bed: &Bed, name: &str) -> String {
    eventually(&format!("{name} leads"), || async {
        let lease = leases(bed).get_opt("sls-operator").await.map_err(|error| error.to_string())?;
        let holder = lease.and_then(|lease| lease.spec?.holder_identity).unwrap_or_default();
        if holder.starts_with(&format!("{name}_")) { Ok(holder) } else { Err(holder) }
    })
    .await
}

/// Who asked Log Service for something, in the order in which they did; each as often as they took over.
async fn writers(bed: &Bed) -> Vec<String> {
    let filter = Filter { limit: Some(10_000), ..Filter::default() };
    let journal = bed.mock.as_ref().unwrap().journal(&filter).await.unwrap();
    assert_eq!(journal.missed, 0);
    let mut entries = journal.entries;
    entries.sort_by_key(|entry| (entry.time_ms, entry.seq));
    let agents = entries.iter().filter_map(|entry| entry.user_agent.as_deref());
    let names =
        agents.filter_map(|agent| agent.split_once('(')?.1.split_once('_').map(|(name, _)| name.to_owned()));
    let mut writers: Vec<String> = names.collect();
    writers.dedup();
    writers
}

fn with_pattern(pattern: &'static str) -> impl FnOnce(&mut Value) {
    move |object| object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!(pattern)
}

async fn bed() -> Bed {
    Bed::with(Options { operator: false, ..Options::default() }).await
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_takes_over_and_never_do_both_write() {
    let bed = bed().await;
    let one = start(&bed, "one", SHORT).await;
    leads(&bed, "one").await;
    let two = start(&bed, "two", SHORT).await;
    bed.apply_value(object("config", with_pattern("a.log"))).await;
    bed.ready("config").await;
    // Who stands by is ready too, and says that it does not lead.
    for (program, leader) in [(&one, "1"), (&two, "0")] {
        eventually("ready", || async {
            let answer = program.http_get("/readyz").await;
            if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
        })
        .await;
        let metrics = program.http_get("/metrics").await;
        assert!(metrics.contains(&format!("\nsls_operator_leader {leader}\n")), "{metrics}");
    }

    let killed = Instant::now();
    one.signal(Signal::KILL);
    bed.apply_value(object("config", with_pattern("b.log"))).await;
    leads(&bed, "two").await;
    println!("taken over {:.1} s after the kill, with a lease of 6 s", killed.elapsed().as_secs_f64());
    let status = bed.ready("config").await;
    assert_eq!(status.observed_generation, Some(2));
    assert_eq!(writers(&bed).await, ["one", "two"]);
}

#[tokio::test]
async fn a_leader_that_is_told_to_end_hands_over_at_once() {
    let bed = bed().await;
    let one = start(&bed, "one", LONG).await;
    leads(&bed, "one").await;
    let _two = start(&bed, "two", LONG).await;
    bed.apply_value(object("config", with_pattern("a.log"))).await;
    bed.ready("config").await;
    one.signal(Signal::TERM);
    let (status, log) = one.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    leads(&bed, "two").await;
    bed.apply_value(object("config", with_pattern("b.log"))).await;
    bed.ready("config").await;
    assert_eq!(writers(&bed).await, ["one", "two"]);
}

#[tokio::test]
async fn a_leader_hands_over_though_kubernetes_is_slow_or_the_lease_has_changed_meanwhile() {
    // No renewal takes the refusals that are meant for the end.
    let renews_rarely =
        ["--leader-elect", "--lease-duration=600s", "--renew-deadline=300s", "--retry-period=100s"];
    let refused = Effect::Fail { code: 409, retry_after_seconds: None };
    let slow = Effect::Delay(Duration::from_secs(1));
    for (timing, effect, times) in [(renews_rarely, refused, 3), (LONG, slow, u32::MAX)] {
        let bed = Bed::with(Options { operator: false, simulated: true, ..Options::default() }).await;
        let one = start(&bed, "one", timing).await;
        leads(&bed, "one").await;
        let path_contains = "/leases/sls-operator".to_owned();
        bed.sim().inject(Fault { method: Some(Method::PUT), path_contains, times, effect });
        one.signal(Signal::TERM);
        let (status, log) = one.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
        let _two = start(&bed, "two", LONG).await;
        leads(&bed, "two").await;
    }
}

#[tokio::test]
async fn a_leader_that_slept_too_long_writes_nothing_any_more_and_ends() {
    let bed = bed().await;
    let one = start(&bed, "one", SHORT).await;
    leads(&bed, "one").await;
    bed.apply_value(object("config", with_pattern("a.log"))).await;
    bed.ready("config").await;
    let _two = start(&bed, "two", SHORT).await;
    one.signal(Signal::STOP);
    leads(&bed, "two").await;
    // Plenty to do for one that believes to lead.
    for (name, pattern) in [("config", "b.log"), ("config-2", "a.log"), ("config-3", "a.log")] {
        bed.apply_value(object(name, with_pattern(pattern))).await;
        bed.ready(name).await;
    }
    one.signal(Signal::CONT);
    let (status, log) = one.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("is lost: "), "{log}");
    assert_eq!(writers(&bed).await, ["one", "two"]);
}

#[tokio::test]
async fn the_times_that_a_lease_holds_do_not_matter_only_whether_it_changes() {
    for skew_s in [-3600, -30, 30, 3600] {
        let bed = bed().await;
        let renewed = MicroTime(Timestamp::now() + SignedDuration::from_secs(skew_s));
        let spec = LeaseSpec {
            holder_identity: Some("ghost_0".into()),
            lease_duration_seconds: Some(2),
            acquire_time: Some(renewed.clone()),
            renew_time: Some(renewed),
            ..LeaseSpec::default()
        };
        let mut lease = Lease { spec: Some(spec), ..Lease::default() };
        lease.metadata.name = Some("sls-operator".into());
        leases(&bed).create(&PostParams::default(), &lease).await.unwrap();
        let one = start(&bed, "one", SHORT).await;
        leads(&bed, "one").await;
        assert!(one.log().contains("standing by: ghost_0 leads"), "{skew_s}: {}", one.log());
    }
}

#[tokio::test]
async fn a_leader_that_cannot_reach_kubernetes_ends_before_another_may_begin() {
    let mut bed = Bed::with(Options { operator: false, simulated: true, ..Options::default() }).await;
    let one = start(&bed, "one", SHORT).await;
    leads(&bed, "one").await;
    bed.sim_mut().stop().await;
    let (status, log) = one.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("not renewed within 4 s"), "{log}");
}

#[tokio::test]
async fn times_that_would_let_two_lead_are_refused() {
    let bed = bed().await;
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    bed.apiserver.write_kubeconfig(kubeconfig.path());
    let output = tokio::process::Command::new(program::OPERATOR)
        .args(["run", "--sls-endpoint", "http://127.0.0.1:1", "--renew-deadline=20s", "--kubeconfig"])
        .arg(kubeconfig.path())
        .env("ALICLOUD_ACCESS_KEY_ID", "id")
        .env("ALICLOUD_ACCESS_KEY_SECRET", "secret")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("--renew-deadline must be less than --lease-duration"), "{text}");
}
