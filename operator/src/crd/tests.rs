//! The definition: documented throughout, equal to the checked-in file, and rules that judge as meant.

use kube::core::cel::Validator;
use serde_json::{Value, json};

use super::*;
use crate::cli::crd::Kind;
use crate::kind::ConfigKind;

/// The checked-in definitions, for people and for `kubectl apply -f`.
const CHECKED_IN: [(Kind, &str); 2] = [
    (Kind::AliyunLogConfig, include_str!("../../crd/aliyunlogconfig.yaml")),
    (Kind::ClusterAliyunPipelineConfig, include_str!("../../crd/clusteraliyunpipelineconfig.yaml")),
];

#[test]
fn the_checked_in_definitions_are_those_that_operator_crd_prints() {
    for (kind, checked_in) in CHECKED_IN {
        assert!(kind.yaml().unwrap() == checked_in, "operator/crd is out of date: just crd");
    }
}

#[test]
fn the_checked_in_definitions_are_yaml_for_the_same_definitions() {
    let parsed =
        CHECKED_IN.map(|(_, text)| serde_saphyr::from_str::<CustomResourceDefinition>(text).unwrap());
    assert_eq!(parsed, [crd(), pipeline_crd()]);
}

#[test]
fn every_field_is_documented() {
    fn walk(path: &str, schema: &Value, undocumented: &mut Vec<String>) {
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
                undocumented.push(path.clone());
            }
            walk(&path, field, undocumented);
            walk(&format!("{path}[]"), field.get("items").unwrap_or(&Value::Null), undocumented);
        }
    }
    let mut undocumented = Vec::new();
    walk("", &AliyunLogConfig::schema(), &mut undocumented);
    walk("", &ClusterAliyunPipelineConfig::schema(), &mut undocumented);
    assert_eq!(undocumented, Vec::<String>::new());
}

fn object(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": "config", "namespace": "default"},
        "spec": {"project": "project-a", "logstore": "store",
            "logtailConfig": {"configName": "config", "inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log", "unknown": 1}}}
    });
    change(&mut object);
    object
}

/// Messages of the rules that refuse `new`, as a change of `old` when there is one.
fn refused(new: &Value, old: Option<&Value>) -> Vec<String> {
    let errors = Validator::new().validate(&AliyunLogConfig::schema(), new, old).err();
    errors.into_iter().flat_map(|errors| errors.into_vec()).map(|error| error.message).collect()
}

#[track_caller]
fn refuses(fragment: &str, change: impl FnOnce(&mut Value)) {
    let messages = refused(&object(change), None);
    assert!(
        matches!(messages.as_slice(), [only] if only.contains(fragment)),
        "expected one refusal with {fragment:?}, got {messages:?}"
    );
}

#[track_caller]
fn accepts(change: impl FnOnce(&mut Value)) {
    assert_eq!(refused(&object(change), None), Vec::<String>::new());
}

#[track_caller]
fn refuses_change(fragment: &str, change: impl FnOnce(&mut Value)) {
    let messages = refused(&object(change), Some(&object(|_| {})));
    assert!(messages.iter().any(|message| message.contains(fragment)), "{fragment:?} not in {messages:?}");
}

#[test]
fn an_ordinary_object_is_accepted_and_may_stay_as_it_is() {
    accepts(|_| {});
    assert_eq!(refused(&object(|_| {}), Some(&object(|_| {}))), Vec::<String>::new());
}

#[test]
fn destination_and_name_cannot_be_changed() {
    refuses_change("project cannot be changed", |object| object["spec"]["project"] = json!("project-b"));
    refuses_change("project cannot be changed", |object| {
        object["spec"].as_object_mut().unwrap().remove("project");
    });
    refuses_change("project cannot be changed", |object| object["spec"]["project"] = json!(""));
    refuses_change("logstore cannot be changed", |object| object["spec"]["logstore"] = json!("other"));
    let name = "/spec/logtailConfig";
    refuses_change("configName cannot be changed", |object| {
        object.pointer_mut(name).unwrap()["configName"] = json!("other");
    });
    refuses_change("configName cannot be changed", |object| {
        object.pointer_mut(name).unwrap().as_object_mut().unwrap().remove("configName");
    });
}

#[test]
fn an_unset_project_and_an_empty_one_are_the_same() {
    let unset = object(|object| {
        object["spec"].as_object_mut().unwrap().remove("project");
    });
    let empty = object(|object| object["spec"]["project"] = json!(""));
    assert_eq!(refused(&empty, Some(&unset)), Vec::<String>::new());
}

#[test]
fn hot_storage_is_off_or_between_a_week_and_the_retention() {
    accepts(|object| object["spec"]["logstoreHotTTL"] = json!(0));
    accepts(|object| object["spec"]["logstoreHotTTL"] = json!(89));
    refuses("logstoreHotTTL", |object| object["spec"]["logstoreHotTTL"] = json!(6));
    refuses("logstoreHotTTL", |object| object["spec"]["logstoreHotTTL"] = json!(90));
    accepts(|object| {
        object["spec"]["logstoreHotTTL"] = json!(90);
        object["spec"]["lifeCycle"] = json!(91);
    });
}

#[test]
fn shards_do_not_exceed_their_bound() {
    refuses("shardCount", |object| {
        object["spec"]["shardCount"] = json!(4);
        object["spec"]["logstoreMaxSplitShard"] = json!(3);
    });
    accepts(|object| object["spec"]["shardCount"] = json!(10));
}

#[test]
fn a_search_only_logstore_is_not_charged_by_ingestion() {
    refuses("charged by function", |object| {
        object["spec"]["logstoreMode"] = json!("query");
        object["spec"]["logstoreMeteringMode"] = json!("ChargeByDataIngest");
    });
    accepts(|object| object["spec"]["logstoreMode"] = json!("query"));
}

#[test]
fn each_input_type_needs_its_keys() {
    refuses("inputType plugin needs", |object| {
        object["spec"]["logtailConfig"]["inputType"] = json!("plugin")
    });
    accepts(|object| {
        object["spec"]["logtailConfig"]["inputType"] = json!("plugin");
        object["spec"]["logtailConfig"]["inputDetail"] = json!({"plugin": {"inputs": []}});
    });
    for key in ["logType", "logPath", "filePattern"] {
        refuses("inputType file needs", |object| {
            object["spec"]["logtailConfig"]["inputDetail"].as_object_mut().unwrap().remove(key);
        });
    }
}

#[test]
fn paths_patterns_and_lists_of_input_detail_are_checked() {
    let detail = |key: &'static str, value: Value| {
        move |object: &mut Value| object["spec"]["logtailConfig"]["inputDetail"][key] = value
    };
    refuses("logPath must be an absolute", detail("logPath", json!("var/log")));
    refuses("filePattern is a file name", detail("filePattern", json!("nginx/access.log")));
    refuses("filterKey and filterRegex", detail("filterKey", json!(["a"])));
    refuses("delimiter_log needs", detail("logType", json!("delimiter_log")));
}

#[test]
fn the_published_objects_are_accepted_so_that_their_status_can_say_what_is_wrong() {
    for text in [
        include_str!("../../../fixtures/k8s/published/crd-access.yaml"),
        include_str!("../../../fixtures/k8s/published/crd-error.yaml"),
    ] {
        let object: Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(crate::schema::check(&AliyunLogConfig::schema(), &object), []);
        assert_eq!(refused(&object, None), Vec::<String>::new());
    }
}

fn pipeline(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "telemetry.alibabacloud.com/v1alpha1", "kind": "ClusterAliyunPipelineConfig",
        "metadata": {"name": "config"},
        "spec": {"project": {"name": "project-a"}, "logstores": [{"name": "store", "ttl": 100}],
            "config": {"inputs": [{"Type": "input_file", "FilePaths": ["/var/log/a.log"]}],
                "flushers": [{"Type": "flusher_sls", "Logstore": "store"}]}}
    });
    change(&mut object);
    object
}

fn refused_pipeline(new: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = ClusterAliyunPipelineConfig::schema();
    let errors = Validator::new().validate(&schema, new, old).err();
    errors.into_iter().flat_map(|errors| errors.into_vec()).map(|error| error.message).collect()
}

#[test]
fn rules_of_a_pipeline_judge_as_meant() {
    let good = pipeline(|_| {});
    assert_eq!(refused_pipeline(&good, Some(&good)), Vec::<String>::new());
    assert_eq!(crate::schema::check(&ClusterAliyunPipelineConfig::schema(), &good), []);
    let cold = |object: &mut Value| {
        object["spec"]["logstores"][0]["hotTtl"] = json!(7);
        object["spec"]["logstores"][0]["infrequentAccessTTL"] = json!(33);
    };
    assert_eq!(refused_pipeline(&pipeline(cold), None), Vec::<String>::new());
    type Change = fn(&mut Value);
    let bad: [(&str, Change); 6] = [
        ("hotTtl must be 0 (off), or at least 7", |object| {
            object["spec"]["logstores"][0]["hotTtl"] = json!(100)
        }),
        ("infrequentAccessTTL must be 0 (off), or at least 30", |object| {
            object["spec"]["logstores"][0]["infrequentAccessTTL"] = json!(30);
        }),
        ("at least 60 days of ttl must remain", |object| {
            object["spec"]["logstores"][0]["hotTtl"] = json!(7);
            object["spec"]["logstores"][0]["infrequentAccessTTL"] = json!(34);
        }),
        ("can only be charged by function", |object| {
            object["spec"]["logstores"][0]["queryMode"] = json!("query");
            object["spec"]["logstores"][0]["meteringMode"] = json!("ChargeByDataIngest");
        }),
        ("the config is named by metadata.name", |object| object["spec"]["config"]["name"] = json!("config")),
        ("project cannot be changed", |object| object["spec"]["project"]["endpoint"] = json!("other:80")),
    ];
    for (message, change) in bad {
        let found = refused_pipeline(&pipeline(change), Some(&good));
        assert!(
            matches!(found.as_slice(), [one] if one.starts_with(message) || one.contains(message)),
            "{found:?}"
        );
    }
    let two = pipeline(|object| {
        object["spec"]["config"]["inputs"] = json!([{"Type": "input_file"}, {"FilePaths": []}]);
        object["spec"]["config"]["flushers"] = json!([]);
    });
    let found = crate::schema::check(&ClusterAliyunPipelineConfig::schema(), &two);
    assert_eq!(found.len(), 3, "{found:?}");
}
