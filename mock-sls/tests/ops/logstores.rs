use expect_test::expect;
use serde_json::json;
use sls_api::ops::logstores::{
    CreateLogStore, DeleteLogStore, GetLogStore, ListLogStore, ListLogStoreQuery, Logstore, LogstoreSettings,
    UpdateLogStore,
};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::{Bed, logstore};

fn settings(name: &str) -> LogstoreSettings {
    LogstoreSettings::new(logstore(name).logstore, 30, 2)
}

async fn get(bed: &Bed, name: &str) -> Logstore {
    bed.send::<GetLogStore>(&logstore(name), &NoQuery {}, &()).await.unwrap().0
}

#[tokio::test]
async fn a_new_logstore_has_the_defaults_of_the_service() {
    let bed = Bed::with_logstore().await;
    let got = Logstore { create_time: 0, last_modify_time: 0, ..get(&bed, "ls").await };
    expect![[r#"{"logstoreName":"ls","ttl":30,"shardCount":2,"enable_tracking":false,"autoSplit":false,"maxSplitShard":64,"appendMeta":false,"telemetryType":"None","mode":"standard","hot_ttl":0,"createTime":0,"lastModifyTime":0}"#]]
        .assert_eq(&serde_json::to_string(&got).unwrap());
}

#[tokio::test]
async fn what_the_creator_sets_comes_back() {
    let bed = Bed::start().await;
    let given = LogstoreSettings {
        enable_tracking: Some(true),
        auto_split: Some(true),
        max_split_shard: Some(8),
        append_meta: Some(true),
        telemetry_type: Some("Metrics".into()),
        mode: Some("query".into()),
        hot_ttl: Some(7),
        infrequent_access_ttl: Some(30),
        ..settings("ls")
    };
    bed.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(given)).await.unwrap();
    let got = get(&bed, "ls").await;
    assert!(got.enable_tracking && got.auto_split && got.append_meta);
    assert_eq!((got.max_split_shard, got.hot_ttl, got.infrequent_access_ttl), (8, 7, Some(30)));
    assert_eq!((got.telemetry_type.as_str(), got.mode.as_str()), ("Metrics", "query"));
}

#[tokio::test]
async fn a_name_is_given_once_in_a_project() {
    let bed = Bed::with_logstore().await;
    let got = bed.shown::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(settings("ls"))).await;
    expect!["400 LogStoreAlreadyExist: logstore ls already exists"].assert_eq(&got);
}

#[tokio::test]
async fn values_out_of_range_are_named() {
    let bed = Bed::start().await;
    let create = async |given: LogstoreSettings| {
        bed.shown::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(given)).await
    };
    expect!["400 ParameterInvalid: ttl must be 1 to 3650, not 0"]
        .assert_eq(&create(LogstoreSettings { ttl: Some(0), ..settings("ls") }).await);
    expect!["400 ParameterInvalid: shardCount must be 1 to 100, not 1000"]
        .assert_eq(&create(LogstoreSettings { shard_count: Some(1000), ..settings("ls") }).await);
    expect![
        "400 LogStoreInfoInvalid: The body is not a valid logstore description: missing field `logstoreName`"
    ]
    .assert_eq(&create(LogstoreSettings { logstore_name: None, ..settings("ls") }).await);
    expect!["400 LogStoreInfoInvalid: maxSplitShard must be within range [1, 256]"]
        .assert_eq(&create(LogstoreSettings { max_split_shard: Some(257), ..settings("ls") }).await);
    let encrypted = async |conf: serde_json::Value| {
        let encrypt_conf = conf.as_object().cloned();
        create(LogstoreSettings { encrypt_conf, ..settings("ls") }).await
    };
    expect![
        "400 LogStoreInfoInvalid: The encrypt_conf is invalid, [encrypt_type] key is missing or not supported"
    ]
    .assert_eq(&encrypted(json!({ "enable": true, "encrypt_type": "rot13" })).await);
    expect!["ok ()"].assert_eq(&encrypted(json!({ "enable": true, "encrypt_type": "default" })).await);
}

#[tokio::test]
async fn an_update_keeps_what_it_does_not_name_and_the_number_of_shards() {
    let bed = Bed::with_logstore().await;
    let update = async |given: LogstoreSettings| {
        bed.shown::<UpdateLogStore>(&logstore("ls"), &NoQuery {}, &Json(given)).await
    };
    let given = LogstoreSettings { ttl: Some(90), append_meta: Some(true), ..settings("ls") };
    expect!["ok ()"].assert_eq(&update(given).await);
    let got = get(&bed, "ls").await;
    assert_eq!((got.ttl, got.append_meta, got.shard_count), (90, true, 2));
    expect!["ok ()"].assert_eq(&update(LogstoreSettings { shard_count: None, ..settings("ls") }).await);
    let unnamed = LogstoreSettings { logstore_name: None, ttl: Some(8), ..settings("ls") };
    expect!["ok ()"].assert_eq(&update(unnamed).await);
    assert_eq!(get(&bed, "ls").await.ttl, 8);
    expect!["ok ()"].assert_eq(&update(LogstoreSettings { shard_count: Some(3), ..settings("ls") }).await);
    assert_eq!(get(&bed, "ls").await.shard_count, 2);
    expect!["400 LogStoreInfoInvalid: store name other is invalid: the path says ls"]
        .assert_eq(&update(settings("other")).await);
}

#[tokio::test]
async fn a_logstore_that_is_not_there_is_named() {
    let bed = Bed::start().await;
    let missing = logstore("missing");
    let expected = expect!["404 LogStoreNotExist: logstore missing does not exist"];
    expected.assert_eq(&bed.shown::<GetLogStore>(&missing, &NoQuery {}, &()).await);
    expected.assert_eq(&bed.shown::<DeleteLogStore>(&missing, &NoQuery {}, &()).await);
    let body = Json(settings("missing"));
    expected.assert_eq(&bed.shown::<UpdateLogStore>(&missing, &NoQuery {}, &body).await);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let bed = Bed::start().await;
    for name in ["nginx-access", "nginx-error", "other"] {
        bed.create_logstore(name, 1).await;
    }
    let list =
        async |query: ListLogStoreQuery| bed.send::<ListLogStore>(&NoPath {}, &query, &()).await.unwrap().0;
    let all = list(ListLogStoreQuery::default()).await;
    assert_eq!((all.count, all.total), (3, 3));
    let query = ListLogStoreQuery {
        logstore_name: Some("nginx".into()),
        offset: Some(1),
        size: Some(5),
        ..Default::default()
    };
    let page = list(query).await;
    assert_eq!((page.count, page.total), (1, 2));
    assert_eq!(page.logstores, [logstore("nginx-error").logstore]);
}
