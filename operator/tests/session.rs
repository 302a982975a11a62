//! Everything the operator asks of Kubernetes, from waiting for its CRD to its last finalizer, is recorded
//! by kube-sim and replayed: what kube-sim answers must be what the real server answers.
//!
//! The recording with the real server's answers lies with kube-sim, whose test `recorded` replays it. Here
//! is checked that the operator asks for nothing else; and with `SLS_TEST_APISERVER=kubeconfig` a new
//! recording is replayed against that cluster and a new kube-sim. `SLS_TEST_RECORD=1` keeps it.

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use kube_sim::replay::{Answer, Recorded, Step, replay, report, script};
use serde_json::json;
use support::apiserver::is_real;
use support::cluster::{CRD, MADE_BY, Place};
use support::*;

/// The session's namespace; replaced by an unused one in a real cluster.
const NAMESPACE: &str = "operator-session";
const ACCESS: &str = "nginx-log-access-example";
const ERROR: &str = "nginx-log-error-example";

/// A whole life with an operator, and what was asked during it.
async fn session() -> Vec<Step> {
    let options =
        Options { simulated: true, namespace: NAMESPACE, crd: false, operator: false, ..Options::default() };
    let mut bed = Bed::with(options).await;
    bed.sim().record();
    let namespaces: Api<Namespace> = Api::all(bed.kube.clone());
    let namespace = json!({"metadata": {"name": NAMESPACE, "labels": {MADE_BY.0: MADE_BY.1}}});
    let namespace = serde_json::from_value(namespace).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();

    // It waits for its CRD.
    bed.start_operator();
    eventually("a list that finds no such kind", || async {
        let recording = bed.sim().recording();
        let found = recording.exchanges.iter().any(|one| one.code == 404);
        found.then_some(()).ok_or_else(|| format!("{:?}", recording.exchanges))
    })
    .await;
    bed.install_crd(&operator::crd::crd()).await;

    // The document's pair, with a mistake in between.
    bed.apply(REPAIRED_ACCESS).await;
    bed.ready(ACCESS).await;
    bed.apply(REPAIRED_ERROR).await;
    bed.ready(ERROR).await;
    bed.apply(PUBLISHED_ACCESS).await;
    bed.not_ready(ACCESS, "InvalidSpec").await;
    bed.apply(REPAIRED_ACCESS).await;
    bed.ready(ACCESS).await;

    // Changes; the second event of a kind becomes a series.
    for pattern in ["a.log", "b.log", "c.log"] {
        bed.apply_value(object("config", |object| {
            object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!(pattern);
        }))
        .await;
        bed.ready("config").await;
    }
    bed.sim().cut_watches();
    bed.apply_value(object("config", |object| object["metadata"]["name"] = json!("younger"))).await;
    bed.not_ready("younger", "ConfigNameConflict").await;
    bed.delete("younger").await;
    bed.gone("younger").await;

    // Log Service is away; so a deletion has to wait, and another is forced.
    bed.apply_value(object("forced", |_| {})).await;
    bed.ready("forced").await;
    bed.stop_mock().await;
    bed.delete("forced").await;
    bed.not_ready("forced", "Deleting").await;
    let force = json!({"metadata": {"annotations": {operator::crd::FORCE_DELETE_ANNOTATION: "true"}}});
    bed.merge("forced", force).await;
    bed.gone("forced").await;
    bed.apply_value(object("config", |_| {})).await;
    bed.not_ready("config", "BackendUnavailable").await;
    bed.delete("config").await;
    bed.not_ready("config", "Deleting").await;
    bed.start_mock().await;
    bed.gone("config").await;

    // Another operator takes over.
    bed.stop_operator().await;
    bed.delete(ERROR).await;
    bed.start_operator();
    bed.gone(ERROR).await;
    bed.delete(ACCESS).await;
    bed.gone(ACCESS).await;
    bed.stop_operator().await;
    bed.events(ACCESS).await;

    namespaces.delete(NAMESPACE, &DeleteParams::default()).await.unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(bed.kube.clone());
    crds.delete(CRD, &DeleteParams::default()).await.unwrap();
    script(&bed.sim().recording()).unwrap()
}

fn recorded(name: &str) -> PathBuf {
    let folder = "../crates/kube-sim/tests/data/recorded/operator";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(name)
}

fn keep(steps: &[Step], answers: &[Answer]) {
    let text = serde_saphyr::to_string(&steps).unwrap();
    let read: Vec<Step> = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(read, steps, "the script cannot be written as YAML");
    std::fs::create_dir_all(recorded("")).unwrap();
    let head = "# Made by `just record-apiserver` from what kube-sim recorded; see recorded.rs.\n";
    std::fs::write(recorded("requests.yaml"), format!("{head}{text}")).unwrap();
    let text = Recorded::text(steps, answers).unwrap();
    std::fs::write(recorded("answers.json"), text).unwrap();
}

/// A request without what differs from run to run: names of events, values, how often.
fn shape(step: &Step) -> String {
    let (line, query) = step.r#do.split_once('?').unwrap_or((&step.r#do, ""));
    let line = match line.split_once("/events/") {
        Some((path, _)) => format!("{path}/events/…"),
        None => line.to_owned(),
    };
    let parameters: BTreeSet<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    let members: BTreeSet<&str> =
        step.body.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let by = step.by.split('/').next().unwrap_or_default();
    format!("{line} {parameters:?} as {:?} accept {:?} by {by} {members:?}", step.r#as, step.accept)
}

#[tokio::test]
async fn what_the_operator_asks_is_answered_as_by_the_real_server() {
    let steps = session().await;
    if is_real() {
        let place = Place::reserve(false).await;
        let client = Client::try_from(place.config().clone()).unwrap();
        let real = replay(&steps, &client, Some((NAMESPACE, place.namespace()))).await.expect("answers");
        let sim = kube_sim::KubeSim::start(kube_sim::Config::default()).await.unwrap();
        let client = Client::try_from(kube::Config::new(sim.url().parse().unwrap())).unwrap();
        let simulated = replay(&steps, &client, Some((NAMESPACE, "another-name"))).await.expect("answers");
        if std::env::var("SLS_TEST_RECORD").is_ok_and(|value| value == "1") {
            keep(&steps, &real);
        }
        let report = report(&steps, &real, &simulated);
        assert!(report.is_empty(), "{report}");
        println!("{} requests of the operator's session are answered alike", steps.len());
    }
    let text = std::fs::read_to_string(recorded("requests.yaml")).expect("the recording");
    let known: Vec<Step> = serde_saphyr::from_str(&text).unwrap();
    let known: BTreeSet<String> = known.iter().map(shape).collect();
    let new: Vec<String> = steps.iter().map(shape).filter(|shape| !known.contains(shape)).collect();
    assert!(
        new.is_empty(),
        "requests that no recording of the real server has; record again by `just record-apiserver`:\n{}",
        new.join("\n")
    );
}
