//! Random objects through the API server: what the definition does not know is pruned, everything else comes back, and
//! the operator's own types lose none of it.

use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};
use operator::crd::AliyunLogConfig;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn field(values: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop::option::of(values).boxed()
}

fn any_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(values).prop_map(Value::from)
}

/// Fields of `spec`, each there or not.
fn spec() -> impl Strategy<Value = Map<String, Value>> {
    let encryption = (any::<bool>(), any_of(&["default", "m4"]), prop::option::of("[a-z0-9-]{0,20}"))
        .prop_map(|(enable, algorithm, key)| {
            let key = key.map(
                |key| json!({"cmk_key_id": key, "arn": "acs:ram::1:role/r", "region_id": "cn-hangzhou"}),
            );
            match key {
                Some(key) => json!({"enable": enable, "encrypt_type": algorithm, "user_cmk_info": key}),
                None => json!({"enable": enable, "encrypt_type": algorithm}),
            }
        });
    let fields = vec![
        ("shardCount", field((1..=10).prop_map(Value::from))),
        ("lifeCycle", field((1..=7300).prop_map(Value::from))),
        ("logstoreMode", field(any_of(&["standard", "query"]))),
        ("logstoreAutoSplit", field(any::<bool>().prop_map(Value::from))),
        ("logstoreMaxSplitShard", field((10..=256).prop_map(Value::from))),
        ("logstoreTelemetryType", field(any_of(&["None", "Metrics"]))),
        ("logstoreAppendMeta", field(any::<bool>().prop_map(Value::from))),
        ("logstoreEnableTracking", field(any::<bool>().prop_map(Value::from))),
        ("logstoreEncryptConf", field(encryption)),
        ("logstoreMeteringMode", field(any_of(&["ChargeByFunction"]))),
        (
            "machineGroups",
            field(prop::sample::subsequence(vec!["aa", "b-b", "c_c", "D4"], 0..4).prop_map(Value::from)),
        ),
        (
            "configTags",
            field(
                prop::collection::btree_map("[a-z]{1,8}", "[ -~]{0,16}", 0..3).prop_map(|tags| json!(tags)),
            ),
        ),
        ("productCode", field("[a-z-]{1,20}".prop_map(Value::from))),
        ("productLang", field(any_of(&["cn", "en"]))),
        ("uid", field("[0-9]{0,20}".prop_map(Value::from))),
        ("endpoint", field(any_of(&["", "host", "http://127.0.0.1:80", "https://a.b.c"]))),
        ("deletionPolicy", field(any_of(&["DeleteConfig", "Retain", "DeleteAll"]))),
    ];
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values.prop_map(move |values| {
        let given = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        given.collect()
    })
}

/// Anything, under names that nobody knows.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    let values = prop_oneof![
        any::<i32>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!({"a": [1, {"b": null}]})),
    ];
    prop::collection::btree_map("zz[a-z]{1,6}", values, 0..3).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_known_survives_and_what_is_not_goes(
        spec in spec(), in_spec in unknown(), in_config in unknown(), in_detail in unknown(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = kube_sim::KubeSim::start(kube_sim::Config::default()).await.unwrap();
            let client = Client::try_from(kube::Config::new(server.url().parse().unwrap())).unwrap();
            let definitions = Api::all(client.clone());
            definitions.create(&PostParams::default(), &operator::crd::crd()).await.unwrap();
            let resource = kube::api::ApiResource::erase::<AliyunLogConfig>(&());
            let objects: Api<DynamicObject> = Api::namespaced_with(client, "default", &resource);

            let mut wanted = spec;
            wanted.insert("project".into(), json!("project-a"));
            wanted.insert("logstore".into(), json!("store"));
            let mut detail = json!({"logType": "common_reg_log", "logPath": "/logs", "filePattern": "a.log"});
            detail.as_object_mut().unwrap().extend(in_detail);
            wanted.insert("logtailConfig".into(), json!({"inputType": "file", "inputDetail": detail}));
            let mut sent = wanted.clone();
            sent.extend(in_spec);
            sent["logtailConfig"].as_object_mut().unwrap().extend(in_config);
            let object = json!({"apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
                "metadata": {"name": "config"}, "spec": sent});
            let stored = objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await;
            let stored = stored.unwrap_or_else(|error| panic!("{error}")).data["spec"].clone();

            assert_eq!(stored, Value::Object(wanted), "what the server keeps");
            let typed: operator::crd::AliyunLogConfigSpec = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(serde_json::to_value(&typed).unwrap(), stored, "what the operator reads");
        });
    }
}
