//! Replays requests whose answers were recorded from a real kube-apiserver
//! (1.37.2) and compares what the simulator says.
//!
//! Each folder in `data/recorded` is a script, `requests.yaml`, and the real
//! server's `answers.json` to it. What the simulator is known to do otherwise
//! is listed in the script, with the reason, and nowhere else.
//!
//! - `api` was written by hand. To record it again, put a `kubectl proxy`
//!   before an empty cluster without controllers and set
//!   `KUBE_SIM_RECORD_FROM` to its URL.
//! - `operator` is what the operator asks for, from its first list to its last
//!   finalizer; `just record-apiserver` makes it.

mod common;

use std::path::PathBuf;

use kube_sim::replay::{Answer, Recorded, Step, replay, report};

/// Places of the hand-written script at which the simulator may differ. The
/// number only goes down: what is added to a script must be made right.
const API_DIFFERENCES_MAX: usize = 92;

fn file(folder: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded").join(folder).join(name)
}

fn script(folder: &str) -> Vec<Step> {
    let text = std::fs::read_to_string(file(folder, "requests.yaml")).expect("the script");
    serde_saphyr::from_str(&text).expect("a list of requests")
}

async fn check(folder: &str, differences_max: usize) {
    let steps = script(folder);
    let text = std::fs::read_to_string(file(folder, "answers.json")).expect("the recording");
    let recorded: Vec<Recorded> = serde_json::from_str(&text).expect("a list of answers");
    let same = recorded.iter().map(|one| &one.to).eq(steps.iter().map(|step| &step.r#do));
    assert!(same, "the recording is of another script; record again");
    let (_server, client) = common::start().await;
    let real: Vec<Answer> = recorded.into_iter().map(|one| one.answer).collect();
    let written = Recorded::text(&steps, &real).expect("text");
    assert!(
        written == text,
        "the recording is not as it is written; a new one would show more than has changed"
    );
    let report = report(&steps, &real, &replay(&steps, &client, None).await.expect("answers"));
    assert!(report.is_empty(), "{report}");
    let listed: usize = steps.iter().map(|step| step.differs.len()).sum();
    assert!(
        listed <= differences_max,
        "{listed} differences are listed, {differences_max} were; make the simulator right instead of listing more"
    );
}

#[tokio::test]
async fn answers_are_those_of_the_real_server() {
    if let Ok(url) = std::env::var("KUBE_SIM_RECORD_FROM") {
        let config = kube::Config::new(url.parse().expect("a URL"));
        let client = kube::Client::try_from(config).expect("a client");
        let steps = script("api");
        let answers = replay(&steps, &client, None).await.expect("answers");
        let text = Recorded::text(&steps, &answers).expect("text");
        std::fs::write(file("api", "answers.json"), text).expect("the recording is written");
    }
    check("api", API_DIFFERENCES_MAX).await;
}

/// Nothing: what is wrong about the operator's requests is made right.
const OPERATOR_DIFFERENCES_MAX: usize = 0;

#[tokio::test]
async fn the_operators_requests_are_answered_as_by_the_real_server() {
    check("operator", OPERATOR_DIFFERENCES_MAX).await;
}
