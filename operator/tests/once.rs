//! Objects made without a cluster.

#[path = "support/access.rs"]
mod access;

use access::config;
use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Tls};
use operator::crd::AliyunLogConfig;
use operator::credentials::{Accounts, Credentials, Source};
use operator::once::{OnceError, make, preview};
use operator::sls::SlsConfig;
use operator::validate::Defaults;
use proptest::prelude::*;
use serde_json::{Value, json};
use sls_api::ops::logtail_configs::GetConfig;
use sls_api::ops::{InConfig, InMachineGroup, machine_groups::GetAppliedConfigs};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoQuery};
use sls_client::{Client, ClientConfig};

fn object(regex: &str) -> AliyunLogConfig {
    serde_json::from_value(json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1",
        "kind": "AliyunLogConfig",
        "metadata": {"name": "access"},
        "spec": {
            "project": "project-a",
            "logstore": "logs",
            "machineGroups": ["group-a"],
            "logtailConfig": {
                "inputType": "file",
                "inputDetail": {
                    "logType": "common_reg_log", "logPath": "/logs", "filePattern": "a.log",
                    "regex": regex, "key": ["first"],
                },
            },
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn what_an_object_asks_for_is_made_and_a_second_time_nothing_is_left_to_do() {
    let sls = MockSls::start(Config::default()).await.unwrap();
    let steps = make(&object("(.*)"), &Defaults::default(), config(&sls)).await.unwrap();
    assert_eq!(
        steps,
        [
            "CreateProject",
            "CreateLogstore logs",
            "CreateIndex logs",
            "CreateMachineGroup group-a",
            "CreateConfig",
            "BindMachineGroup group-a"
        ]
    );
    let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
    let client = Client::new(ClientConfig::new(sls.endpoint().parse().unwrap(), key)).unwrap();
    let project = "project-a".parse().unwrap();
    let path = InConfig { config: "access".parse().unwrap() };
    let Json(made) = client.send::<GetConfig>(Some(&project), &path, &NoQuery {}, &()).await.unwrap();
    assert_eq!(made.input_detail["regex"], "(.*)");
    let group = InMachineGroup { group: "group-a".parse().unwrap() };
    let bound = client.send::<GetAppliedConfigs>(Some(&project), &group, &NoQuery {}, &()).await.unwrap();
    assert_eq!(bound.0.configs.len(), 1);

    let steps = make(&object("(.*)"), &Defaults::default(), config(&sls)).await.unwrap();
    assert!(steps.is_empty(), "{steps:?}");
    sls.shutdown().await;
}

#[tokio::test]
async fn two_that_make_the_same_at_the_same_time_both_succeed() {
    let sls = MockSls::start(Config::default()).await.unwrap();
    let (object, defaults) = (object("(.*)"), Defaults::default());
    let (one, other) =
        tokio::join!(make(&object, &defaults, config(&sls)), make(&object, &defaults, config(&sls)));
    let steps: Vec<_> = [one.unwrap(), other.unwrap()].concat();
    assert!(steps.iter().any(|step| step == "CreateProject"), "{steps:?}");
    sls.shutdown().await;
}

#[tokio::test]
async fn a_wrong_object_is_refused_with_its_problems_before_anything_is_sent() {
    let sls = MockSls::start(Config::default()).await.unwrap();
    let error = make(&object("(.*)(.*)"), &Defaults::default(), config(&sls)).await.unwrap_err();
    assert!(matches!(&error, OnceError::Refused { .. }), "{error}");
    assert!(error.to_string().starts_with("access is refused: "), "{error}");
    sls.shutdown().await;
    let error = make(&object("(.*)"), &Defaults::default(), config_of_nobody()).await.unwrap_err();
    assert!(matches!(&error, OnceError::Step { step: "GetProject", .. }), "{error}");
}

/// Keys of inputDetail that nobody knows, with any values: what is not known is passed on.
fn further_keys() -> impl Strategy<Value = Value> {
    let values = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[a-zA-Z /._-]{0,12}".prop_map(Value::from),
        Just(json!({"deep": {"list": [1, "two", null, 3.5]}})),
        prop::collection::vec("[a-z]{0,3}", 0..3).prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec!["customField", "another", "Zeta", "one-more", "x"]);
    prop::collection::btree_map(keys, values, 0..4).prop_map(|keys| json!(keys))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is made is afterwards as the object asks for, through a real server's mind: nothing is planned, nor
    /// after somebody made something else of it before.
    #[test]
    fn what_was_made_leaves_nothing_to_plan(
        before in further_keys(), wanted in further_keys(), groups in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sls = MockSls::start(Config::default()).await.unwrap();
            let with = |keys: &Value, groups: usize| {
                let mut value = serde_json::to_value(object("(.*)")).unwrap();
                let groups: Vec<_> = (0..groups).map(|n| format!("group-{n}")).collect();
                value["spec"]["machineGroups"] = json!(groups);
                let detail = value["spec"]["logtailConfig"]["inputDetail"].as_object_mut().unwrap();
                detail.extend(keys.as_object().unwrap().clone());
                serde_json::from_value::<AliyunLogConfig>(value).unwrap()
            };
            let defaults = Defaults::default();
            let told = |error: OnceError| panic!("{error}");
            make(&with(&before, 1), &defaults, config(&sls)).await.unwrap_or_else(told);
            let wanted = with(&wanted, groups);
            make(&wanted, &defaults, config(&sls)).await.unwrap_or_else(told);
            let left = preview(&wanted, &defaults, config(&sls), Accounts::None).await.unwrap_or_else(told);
            assert!(left.is_empty(), "{left:?}");
            let again = make(&wanted, &defaults, config(&sls)).await.unwrap_or_else(told);
            assert!(again.is_empty(), "{again:?}");
            sls.shutdown().await;
        });
    }
}

/// An endpoint at which nothing listens: port 1 of loopback.
/// An endpoint of https with a certificate of its own authority is called when that is named, and not without.
#[tokio::test]
async fn an_endpoint_of_https_may_have_an_authority_of_its_own() {
    let tls = Tls { listen: "127.0.0.1:0".parse().unwrap(), ca: None };
    let sls = MockSls::start(Config { tls: Some(tls), ..Config::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let encrypted = SlsConfig { endpoint: sls.https_endpoint().unwrap(), ..config(&sls) };
    let made = make(&object("(.*)"), &Defaults::default(), encrypted.clone()).await;
    let error = made.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");

    let trusting = SlsConfig { authorities: Some(file.clone()), ..encrypted };
    let error = make(&object("(.*)"), &Defaults::default(), trusting.clone()).await.unwrap_err().to_string();
    assert!(
        error.contains("ca.pem of certificate authorities") && error.contains("cannot be read"),
        "{error}"
    );
    std::fs::write(&file, "no certificate").unwrap();
    let error = make(&object("(.*)"), &Defaults::default(), trusting.clone()).await.unwrap_err().to_string();
    assert!(error.contains("holds no certificate in PEM form"), "{error}");

    std::fs::write(&file, sls.ca_certificate().unwrap()).unwrap();
    let steps = make(&object("(.*)"), &Defaults::default(), trusting).await.unwrap();
    assert_eq!(steps.first().unwrap(), "CreateProject");
}

fn config_of_nobody() -> SlsConfig {
    SlsConfig {
        endpoint: "http://127.0.0.1:1".to_owned(),
        region: None,
        credentials: Source::Fixed(Credentials {
            access_key_id: "id".to_owned(),
            access_key_secret: "secret".into(),
            security_token: None,
        }),
        authorities: None,
    }
}
