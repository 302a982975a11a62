//! The Kubernetes API misbehaves; nothing is lost and nothing is done twice. Always against kube-sim: no
//! real server cuts watches, forgets its history or refuses requests when a test asks for it.

mod support;

use http::Method;
use kube_sim::{Effect, Fault};
use serde_json::json;
use support::*;

#[tokio::test]
async fn cut_watches_lose_no_change() {
    let bed = Bed::simulated().await;
    for n in 0..5 {
        bed.sim().cut_watches();
        bed.apply_value(object(&format!("config-{n}"), |_| {})).await;
    }
    for n in 0..5 {
        bed.ready(&format!("config-{n}")).await;
    }
}

#[tokio::test]
async fn a_watch_that_must_begin_anew_repeats_no_write() {
    let bed = Bed::simulated().await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.look_again("config").await;
    let (changes, writes) = (bed.changes(), bed.status_writes());
    bed.sim().compact();
    bed.apply_value(object("another", |object| object["spec"]["logstore"] = json!("another"))).await;
    bed.ready("another").await;
    bed.look_again("config").await;
    // The other object's four steps and its own status, before and after them, nothing more.
    assert_eq!((bed.changes(), bed.status_writes()), (changes + 4, writes + 2));
}

#[tokio::test]
async fn an_object_deleted_while_the_watch_was_down_is_forgotten_and_its_rival_takes_over() {
    let bed = Bed::simulated().await;
    bed.apply_value(object("older", |_| {})).await;
    bed.ready("older").await;
    bed.apply_value(object("older", |object| object["metadata"]["name"] = json!("younger"))).await;
    bed.not_ready("younger", "ConfigNameConflict").await;
    bed.delete("older").await;
    bed.sim().compact();
    bed.gone("older").await;
    bed.ready("younger").await;
}

/// The next `times` patches whose path contains `part` are answered with `code`.
fn refuse(bed: &Bed, part: &str, times: u32, code: u16, retry_after_seconds: Option<u32>) {
    let effect = Effect::Fail { code, retry_after_seconds };
    bed.sim().inject(Fault { method: Some(Method::PATCH), path_contains: part.into(), times, effect });
}

#[tokio::test]
async fn a_status_that_cannot_be_written_is_written_later() {
    for code in [409, 500] {
        let bed = Bed::simulated().await;
        refuse(&bed, "/status", 2, code, None);
        bed.apply_value(object("config", |_| {})).await;
        bed.ready("config").await;
        assert_eq!(bed.calls("CreateConfig"), 1, "after {code}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_patience_gets_it() {
    for (code, wait) in [(429, Some(1)), (503, None), (504, None)] {
        let bed = Bed::simulated().await;
        refuse(&bed, "/status", 2, code, wait);
        bed.apply_value(object("config", |_| {})).await;
        bed.ready("config").await;
        assert_eq!(bed.calls("CreateConfig"), 1, "after {code}");
    }
}

#[tokio::test]
async fn events_that_may_not_be_written_are_not_needed() {
    let bed = Bed::simulated().await;
    let effect = Effect::Fail { code: 403, retry_after_seconds: None };
    bed.sim().inject(Fault { method: None, path_contains: "/events".into(), times: u32::MAX, effect });
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    bed.delete("config").await;
    bed.gone("config").await;
}

#[tokio::test]
async fn a_finalizer_that_cannot_be_added_at_first_is_added_before_anything_is_sent() {
    let bed = Bed::with(Options { operator: false, simulated: true, ..Options::default() }).await;
    bed.apply_value(object("config", |_| {})).await;
    refuse(&bed, "aliyunlogconfigs/config", 2, 500, None);
    let mut bed = bed;
    bed.start_operator();
    bed.ready("config").await;
    assert_eq!(bed.get("config").await.metadata.finalizers.unwrap_or_default(), [operator::crd::FINALIZER]);
}
