//! Whose a config is: two clusters that use one project, tags of the config, and settings of Logstores that exist.

mod support;

use serde_json::json;
use support::program::Program;
use support::*;

/// Two clusters, with one Log Service.
async fn two_clusters() -> (Bed, Bed) {
    let one = Bed::with(Options { operator: false, ..Options::default() }).await;
    let other = Bed::with(Options { operator: false, simulated: true, ..Options::default() }).await;
    (one, other)
}

#[tokio::test]
async fn a_config_of_another_cluster_is_left_alone_until_it_is_adopted() {
    let (one, other) = two_clusters().await;
    let operator = Program::start(&one, &["--cluster-id=c-one"]).await;
    one.apply_value(object("config", |_| {})).await;
    one.ready("config").await;
    let owner = format!("c-one/{}/config", one.namespace());
    assert_eq!(
        one.sls().tags("project-a", "config").await,
        [("sls.testbed/owner".to_owned(), owner.clone())]
    );
    operator.signal(rustix::process::Signal::TERM);

    let endpoint = one.endpoint();
    let _other_operator = Program::start_at(&other, &endpoint, &["--cluster-id=c-other"]).await;
    other
        .apply_value(object("config", |object| {
            object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!("changed.log");
        }))
        .await;
    let status = other.not_ready("config", "ForeignOwner").await;
    assert!(is(&status, "Accepted", "False", "ForeignOwner"), "{status:?}");
    assert_eq!(status.status_code, Some(409));
    assert!(status.status.unwrap().contains(&owner));
    // And what belongs to another stays when the object goes.
    other.delete("config").await;
    other.gone("config").await;
    assert_eq!(one.sls().bound("project-a", "config").await, ["group-a"]);

    other
        .apply_value(object("config", |object| {
            object["metadata"]["annotations"] = json!({"sls.testbed/adopt": "true"});
        }))
        .await;
    other.ready("config").await;
    let owner = format!("c-other/{}/config", other.namespace());
    assert_eq!(one.sls().tags("project-a", "config").await, [("sls.testbed/owner".to_owned(), owner)]);
}

#[tokio::test]
async fn tags_of_the_config_follow_the_object_and_others_stay() {
    let bed = Bed::start().await;
    let tags = |tags| move |object: &mut serde_json::Value| object["spec"]["configTags"] = tags;
    bed.apply_value(object("config", tags(json!({"team": "shop", "tier": "web"})))).await;
    let status = bed.ready("config").await;
    assert_eq!(status.applied_config_tags, Some(vec!["team".to_owned(), "tier".to_owned()]));
    bed.sls().tag("project-a", "config", "foreign", "1").await;
    bed.merge("config", json!({"spec": {"configTags": {"team": "blog", "tier": null}}})).await;
    bed.status("config", "a look at the second generation", |status| status.applied_generation == Some(2))
        .await;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(bed.sls().tags("project-a", "config").await, [pair("foreign", "1"), pair("team", "blog")]);

    bed.apply_value(object("reserved", tags(json!({"acs:rm": "x"})))).await;
    let status = bed.not_ready("reserved", "InvalidSpec").await;
    assert!(status.status.unwrap().contains("must not begin with \"acs:\""));
}

#[tokio::test]
async fn an_existing_logstore_is_changed_only_if_the_object_says_so() {
    let bed = Bed::start().await;
    bed.sls().create_project("project-a").await;
    bed.sls().create_logstore("project-a", "store", 7, 1).await;
    bed.apply_value(object("config", |object| {
        object["spec"]["lifeCycle"] = json!(30);
        object["spec"]["shardCount"] = json!(4);
    }))
    .await;
    let status = bed.ready("config").await;
    assert!(is(&status, "LogstoreReady", "True", "ExistingSettingsDiffer"), "{status:?}");
    let annotation = json!({"metadata": {"annotations": {"sls.testbed/logstore-update": "true"}}});
    bed.merge("config", annotation).await;
    let note = bed.event("config", "DriftCorrected").await;
    assert!(note.contains("lifeCycle: wanted 30, is 7"), "{note}");
    let logstore = bed.sls().logstore("project-a", "store").await.unwrap();
    assert_eq!((logstore.ttl, logstore.shard_count), (30, 1));
    // The event comes before the status that tells of the same look.
    let status = bed
        .status("config", "only shards differ", |status| {
            let told = &condition(status, "LogstoreReady").unwrap().message;
            told.contains("shardCount: wanted 4, is 1") && !told.contains("lifeCycle")
        })
        .await;
    assert!(is(&status, "Ready", "True", "Synced"), "{status:?}");
}
