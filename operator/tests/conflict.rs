//! Two objects, one config.

mod support;

use serde_json::json;
use support::*;

#[tokio::test]
async fn the_older_object_wins_and_the_other_takes_over_when_it_goes() {
    let bed = Bed::start().await;
    bed.apply_value(object("older", |_| {})).await;
    bed.ready("older").await;
    let rival = |pattern: &'static str| {
        move |object: &mut serde_json::Value| {
            object["metadata"]["name"] = json!("younger");
            object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!(pattern);
        }
    };
    bed.apply_value(object("older", rival("b.log"))).await;
    let status = bed.not_ready("younger", "ConfigNameConflict").await;
    assert!(is(&status, "Accepted", "False", "ConfigNameConflict"));
    assert_eq!(status.status_code, Some(409));
    assert!(status.status.unwrap().contains(&format!("{}/older", bed.namespace())));
    bed.event("younger", "ConfigNameConflict").await;
    let pattern = || async {
        let config = bed.sls().config("project-a", "older").await;
        config.and_then(|config| config.input_detail.get("filePattern").cloned())
    };
    assert_eq!(pattern().await, Some(json!("a.log")));

    bed.delete("older").await;
    bed.gone("older").await;
    bed.ready("younger").await;
    assert_eq!(pattern().await, Some(json!("b.log")));
    assert_eq!(bed.sls().bound("project-a", "older").await, ["group-a"]);
}

#[tokio::test]
async fn a_loser_that_goes_leaves_the_winners_config_alone() {
    let bed = Bed::start().await;
    bed.apply_value(object("older", |_| {})).await;
    bed.ready("older").await;
    bed.apply_value(object("older", |object| object["metadata"]["name"] = json!("younger"))).await;
    bed.not_ready("younger", "ConfigNameConflict").await;
    bed.delete("younger").await;
    bed.gone("younger").await;
    bed.look_again("older").await;
    assert!(bed.sls().config("project-a", "older").await.is_some());
    assert_eq!(bed.sls().bound("project-a", "older").await, ["group-a"]);
}
