use expect_test::expect;
use serde_json::{Value, json};
use sls_api::ops::InConfig;
use sls_api::ops::logtail_configs::{
    CreateConfig, DeleteConfig, GetConfig, ListConfig, ListConfigQuery, LogtailConfig, UpdateConfig,
};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::Bed;

fn config(value: Value) -> Json<LogtailConfig> {
    Json(serde_json::from_value(value).unwrap())
}

fn simple(name: &str, logstore: &str) -> Value {
    json!({
        "configName": name,
        "inputType": "file",
        "inputDetail": {"logType": "common_reg_log", "logPath": "/var/log", "filePattern": "*.log"},
        "outputType": "LogService",
        "outputDetail": {"logstoreName": logstore},
    })
}

fn path(name: &str) -> InConfig {
    InConfig { config: name.parse().unwrap() }
}

async fn create(bed: &Bed, value: Value) -> String {
    bed.shown::<CreateConfig>(&NoPath {}, &NoQuery {}, &config(value)).await
}

#[tokio::test]
async fn the_input_detail_comes_back_verbatim_in_its_order() {
    let bed = Bed::start().await;
    let mut sent = simple("config-a", "ls");
    sent["inputDetail"] = serde_json::from_str(r#"{"z":[1,2.5,null],"a":{"b":"c"},"unknown":true}"#).unwrap();
    expect!["ok ()"].assert_eq(&create(&bed, sent).await);
    let Json(got) = bed.send::<GetConfig>(&path("config-a"), &NoQuery {}, &()).await.unwrap();
    expect![[r#"{"z":[1,2.5,null],"a":{"b":"c"},"unknown":true}"#]]
        .assert_eq(&serde_json::to_string(&got.input_detail).unwrap());
    assert!(got.create_time.is_some() && got.last_modify_time.is_some());
}

#[tokio::test]
async fn a_name_is_given_once_in_a_project() {
    let bed = Bed::start().await;
    create(&bed, simple("config-a", "ls")).await;
    expect!["400 ConfigAlreadyExist: config config-a already exists"]
        .assert_eq(&create(&bed, simple("config-a", "ls")).await);
}

#[tokio::test]
async fn unknown_types_are_refused_by_name() {
    let bed = Bed::start().await;
    let mut sent = simple("config-a", "ls");
    sent["inputType"] = "carrier-pigeon".into();
    expect![[r#"400 InvalidParameter: Invalid config resource json: inputType must be one of ["file", "plugin", "syslog", "streamlog"], not "carrier-pigeon""#]]
        .assert_eq(&create(&bed, sent).await);
    let mut sent = simple("config-a", "ls");
    sent["outputType"] = "Kafka".into();
    expect![[
        r#"400 InvalidParameter: Invalid config resource json: outputType must be LogService, not "Kafka""#
    ]]
    .assert_eq(&create(&bed, sent).await);
}

#[tokio::test]
async fn a_config_that_is_not_there_is_named() {
    let bed = Bed::start().await;
    let expected = expect!["404 ConfigNotExist: Config missing not exist"];
    let body = config(simple("missing", "ls"));
    expected.assert_eq(&bed.shown::<GetConfig>(&path("missing"), &NoQuery {}, &()).await);
    expected.assert_eq(&bed.shown::<UpdateConfig>(&path("missing"), &NoQuery {}, &body).await);
    expected.assert_eq(&bed.shown::<DeleteConfig>(&path("missing"), &NoQuery {}, &()).await);
}

#[tokio::test]
async fn an_update_replaces_the_config_under_its_name() {
    let bed = Bed::start().await;
    create(&bed, simple("config-a", "ls")).await;
    let update =
        async |value| bed.shown::<UpdateConfig>(&path("config-a"), &NoQuery {}, &config(value)).await;
    expect![[r#"400 BadRequest: The name "config-b" in the body is not the name "config-a" in the path."#]]
        .assert_eq(&update(simple("config-b", "ls")).await);
    expect!["ok ()"].assert_eq(&update(simple("config-a", "other")).await);
    let Json(got) = bed.send::<GetConfig>(&path("config-a"), &NoQuery {}, &()).await.unwrap();
    assert_eq!(got.output_detail.logstore_name.as_str(), "other");
}

#[tokio::test]
async fn lists_are_filtered_by_name_and_logstore() {
    let bed = Bed::start().await;
    for (name, logstore) in [("app-a", "ls-a"), ("app-b", "ls-b"), ("other", "ls-a")] {
        create(&bed, simple(name, logstore)).await;
    }
    let list = async |query: ListConfigQuery| {
        let Json(list) = bed.send::<ListConfig>(&NoPath {}, &query, &()).await.unwrap();
        format!("{} of {}: {:?}", list.count, list.total, list.configs)
    };
    expect![[r#"3 of 3: ["app-a", "app-b", "other"]"#]].assert_eq(&list(ListConfigQuery::default()).await);
    let by_name = ListConfigQuery { config_name: Some("app".into()), ..Default::default() };
    expect![[r#"2 of 2: ["app-a", "app-b"]"#]].assert_eq(&list(by_name.clone()).await);
    let by_both = ListConfigQuery { logstore_name: Some("ls-a".into()), ..by_name };
    expect![[r#"1 of 1: ["app-a"]"#]].assert_eq(&list(by_both).await);
}
