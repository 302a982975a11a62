//! CRDs and their objects: registration, schema, CEL, versions, removal.

mod common;

use common::{
    eventually, log_config, log_config_resource, object, probe_crd, raw, refused, start, with_probe_crd,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

fn crds(client: &Client) -> Api<CustomResourceDefinition> {
    Api::all(client.clone())
}

/// A small CRD whose spec has the given schema.
fn widget_crd(spec: Value) -> CustomResourceDefinition {
    object(json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}}))
}

fn widgets(client: &Client, version: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("example.com", version, "Widget"),
        "widgets",
    );
    Api::default_namespaced_with(client.clone(), &resource)
}

fn widget(version: &str, spec: Value) -> DynamicObject {
    object(
        json!({"apiVersion": format!("example.com/{version}"), "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}),
    )
}

#[tokio::test]
async fn a_crd_is_established_and_its_kind_is_discovered() {
    let (_server, client) = start().await;
    let params = PatchParams::apply("operator").force();
    crds(&client)
        .patch("aliyunlogconfigs.log.alibabacloud.com", &params, &Patch::Apply(probe_crd()))
        .await
        .unwrap();
    let established = await_condition(
        crds(&client),
        "aliyunlogconfigs.log.alibabacloud.com",
        conditions::is_crd_established(),
    );
    tokio::time::timeout(common::PATIENCE, established).await.unwrap().unwrap();
    let crd = crds(&client).get("aliyunlogconfigs.log.alibabacloud.com").await.unwrap();
    assert_eq!(
        crd.status.as_ref().unwrap().stored_versions.as_deref(),
        Some(["v1alpha1".to_owned()].as_slice())
    );
    for aggregated in [false, true] {
        let discovery = kube::Discovery::new(client.clone());
        let discovery =
            if aggregated { discovery.run_aggregated().await } else { discovery.run().await }.unwrap();
        let gvk = GroupVersionKind::gvk("log.alibabacloud.com", "v1alpha1", "AliyunLogConfig");
        let (resource, capabilities) = discovery.resolve_gvk(&gvk).expect("discovered");
        assert_eq!(resource.plural, "aliyunlogconfigs");
        assert!(capabilities.subresources.iter().any(|(r, _)| r.plural == "status"));
        assert!(discovery.get("apps").unwrap().recommended_kind("Deployment").is_some());
    }
}

#[tokio::test]
async fn crds_that_the_real_server_refuses_are_refused() {
    let (_server, client) = start().await;
    let mut misnamed = widget_crd(json!({"type": "object"}));
    misnamed.metadata.name = Some("things.example.com".into());
    let refusal = refused(crds(&client).create(&PostParams::default(), &misnamed).await);
    assert!(refusal.message.contains("must be spec.names.plural+\".\"+spec.group"), "{}", refusal.message);
    for (schema, expected) in [
        (json!({"type": "object", "properties": {"a": {}}}), "must not be empty for specified object fields"),
        (json!({"type": "array"}), "items: Required value: must be specified"),
        (json!({"type": "string", "pattern": "("}), "must be a valid regular expression"),
        (
            json!({"type": "integer", "x-kubernetes-validations": [{"rule": "self >"}]}),
            "failed to compile CEL rule",
        ),
    ] {
        let refusal = refused(crds(&client).create(&PostParams::default(), &widget_crd(schema)).await);
        assert_eq!(refusal.code, 422);
        assert!(refusal.message.contains(expected), "{}", refusal.message);
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    object: Value,
    old: Option<Value>,
}

/// What the validators of kube-apiserver say to the probe's cases; text of the
/// refusal, if there is one. Source: the operator specification, §5.1.
const VERDICTS: [(&str, Option<&str>); 15] = [
    ("seed-like", None),
    ("legacy nulls", None),
    ("hot null", None),
    ("project change", Some("project cannot be changed")),
    ("project unset", Some("project cannot be changed")),
    ("hot 91", Some("logstoreHotTTL must be 0, or at least 7")),
    ("logstore change", Some("logstore cannot be changed")),
    ("relative path", Some("logPath must be absolute")),
    ("slash pattern", Some("filePattern is a file name")),
    ("plugin w/o", Some("inputDetail.plugin is required")),
    ("delim w/o", Some("delimiter_log needs separator and key")),
    ("rename", Some("configName cannot be changed")),
    ("shard 99", Some("should be less than or equal to 10")),
    // Slips through on the real server too: a field rule is skipped when one
    // side is absent.
    ("configName unset", None),
    ("unknown ttl (pruned)", None),
];

#[tokio::test]
async fn the_probes_cases_are_judged_as_by_the_real_validators() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/cases.json")).unwrap();
    let mut judged = Vec::new();
    for case in cases {
        let name = case.object["metadata"]["name"].as_str().unwrap().to_owned();
        if let Some(old) = case.old {
            api.create(&PostParams::default(), &object(old)).await.unwrap();
            let current = api.get(&name).await.unwrap();
            let mut new: DynamicObject = object(case.object);
            new.metadata.resource_version = current.resource_version();
            judged.push((case.name, api.replace(&name, &PostParams::default(), &new).await));
            api.delete(&name, &DeleteParams::default()).await.unwrap();
        } else {
            let result = api.create(&PostParams::default(), &object(case.object)).await;
            if result.is_ok() {
                api.delete(&name, &DeleteParams::default()).await.unwrap();
            }
            judged.push((case.name, result));
        }
    }
    assert_eq!(judged.len(), VERDICTS.len(), "{:?}", judged.iter().map(|(n, _)| n).collect::<Vec<_>>());
    for (name, result) in judged {
        let (_, expected) =
            VERDICTS.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no verdict on {name:?}"));
        match (expected, result) {
            (None, Ok(_)) => {}
            (Some(text), Err(kube::Error::Api(status))) => {
                assert_eq!((status.code, &*status.reason), (422, "Invalid"), "{name}");
                assert!(status.message.contains(text), "{name}: {}", status.message);
            }
            (expected, result) => panic!("{name}: expected {expected:?}, found {result:?}"),
        }
    }
}

#[tokio::test]
async fn refusals_name_the_field_in_message_and_causes() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let mut bad = log_config("a");
    bad.data["spec"]["logstore"] = json!("N_");
    bad.data["spec"]["logtailConfig"]["inputDetail"]["logPath"] = json!("x");
    let refusal = refused(api.create(&PostParams::default(), &bad).await);
    assert_eq!(
        refusal.message,
        "AliyunLogConfig.log.alibabacloud.com \"a\" is invalid: [spec.logstore: Invalid value: \"N_\": spec.logstore in body \
         should match '^[a-z0-9][a-z0-9_-]*[a-z0-9]$', spec.logtailConfig.inputDetail: Invalid value: logPath must be \
         absolute]"
    );
    let details = refusal.details.unwrap();
    assert_eq!(
        (&*details.kind, &*details.group, &*details.name),
        ("AliyunLogConfig", "log.alibabacloud.com", "a")
    );
    let fields: Vec<&str> = details.causes.iter().map(|c| c.field.as_str()).collect();
    assert_eq!(fields, ["spec.logstore", "spec.logtailConfig.inputDetail"]);
    let mut incomplete = log_config("a");
    incomplete.data["spec"].as_object_mut().unwrap().remove("logstore");
    let refusal = refused(api.create(&PostParams::default(), &incomplete).await);
    assert_eq!(
        refusal.message,
        "AliyunLogConfig.log.alibabacloud.com \"a\" is invalid: [spec.logstore: Required value, <nil>: Invalid value: null: \
         some validation rules were not checked because the object was invalid; correct the existing errors to complete \
         validation]"
    );
}

#[tokio::test]
async fn unknown_fields_are_pruned_except_where_they_are_preserved() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let mut config = log_config("a");
    config.data["spec"]["ttl"] = json!(7);
    config.data["extra"] = json!(1);
    let made = api.create(&PostParams::default(), &config).await.unwrap();
    assert_eq!(made.data["spec"].get("ttl"), None);
    assert_eq!(made.data.get("extra"), None);
    assert_eq!(made.data["spec"]["logtailConfig"]["inputDetail"]["foo"], 1);
}

#[tokio::test]
async fn defaults_nullable_and_int_or_string_are_honoured() {
    let (_server, client) = start().await;
    let spec = json!({"type": "object", "properties": {
        "size": {"type": "integer", "default": 3}, "note": {"type": "string", "nullable": true, "default": "n"},
        "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}}});
    crds(&client).create(&PostParams::default(), &widget_crd(spec)).await.unwrap();
    let api = widgets(&client, "v1");
    let spec = json!({"size": null, "note": null, "port": "http"});
    let made = api.create(&PostParams::default(), &widget("v1", spec)).await.unwrap();
    assert_eq!(made.data["spec"], json!({"size": 3, "note": null, "port": "http"}));
    let bad = Patch::Merge(json!({"spec": {"port": true}}));
    assert_eq!(refused(api.patch("w", &PatchParams::default(), &bad).await).code, 422);
}

#[tokio::test]
async fn a_stored_value_may_stay_when_the_schema_becomes_stricter() {
    let (_server, client) = start().await;
    let schema = |max: u32| json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": max}, "m": {"type": "integer"}}});
    crds(&client).create(&PostParams::default(), &widget_crd(schema(10))).await.unwrap();
    let api = widgets(&client, "v1");
    api.create(&PostParams::default(), &widget("v1", json!({"n": 9}))).await.unwrap();
    let params = PatchParams::apply("operator").force();
    let mut stricter = widget_crd(schema(5));
    stricter.metadata.managed_fields = None;
    crds(&client).patch("widgets.example.com", &params, &Patch::Apply(&stricter)).await.unwrap();
    let merge = |spec: Value| Patch::Merge(json!({"spec": spec}));
    api.patch("w", &PatchParams::default(), &merge(json!({"m": 1}))).await.unwrap();
    assert_eq!(refused(api.patch("w", &PatchParams::default(), &merge(json!({"n": 8}))).await).code, 422);
}

#[tokio::test]
async fn all_served_versions_show_the_same_object() {
    let (_server, client) = start().await;
    let mut crd = json!(widget_crd(json!({"type": "object", "properties": {"n": {"type": "integer"}}})));
    let mut second = crd["spec"]["versions"][0].clone();
    second["name"] = json!("v2");
    second["storage"] = json!(false);
    crd["spec"]["versions"].as_array_mut().unwrap().push(second);
    crds(&client).create(&PostParams::default(), &object(crd)).await.unwrap();
    widgets(&client, "v1").create(&PostParams::default(), &widget("v1", json!({"n": 1}))).await.unwrap();
    let other = widgets(&client, "v2").get("w").await.unwrap();
    assert_eq!(other.types.unwrap().api_version, "example.com/v2");
    let list = widgets(&client, "v2").list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
}

#[tokio::test]
async fn a_custom_scale_subresource_maps_its_paths() {
    let (_server, client) = start().await;
    let mut crd = json!(widget_crd(json!({"type": "object", "properties": {"size": {"type": "integer"}}})));
    crd["spec"]["versions"][0]["subresources"] = json!({"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}});
    crds(&client).create(&PostParams::default(), &object(crd)).await.unwrap();
    let api = widgets(&client, "v1");
    api.create(&PostParams::default(), &widget("v1", json!({"size": 2}))).await.unwrap();
    let scaled = api
        .patch_scale("w", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 4}})))
        .await
        .unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(4));
    let object = api.get("w").await.unwrap();
    assert_eq!((object.data["spec"]["size"].as_i64(), object.metadata.generation), (Some(4), Some(2)));
}

#[tokio::test]
async fn a_crd_takes_its_objects_with_it_and_can_come_back() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let mut held = log_config("a");
    held.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    crds(&client).delete("aliyunlogconfigs.log.alibabacloud.com", &DeleteParams::default()).await.unwrap();
    eventually("the object is being deleted", || async {
        api.get("a").await.unwrap().metadata.deletion_timestamp.map(drop)
    })
    .await;
    assert_eq!(refused(api.create(&PostParams::default(), &log_config("b")).await).code, 405);
    api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}})))
        .await
        .unwrap();
    eventually("the kind is gone", || async {
        (refused_code(api.list(&ListParams::default()).await) == Some(404)).then_some(())
    })
    .await;
    with_probe_crd(&client).await;
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

fn refused_code<T>(result: kube::Result<T>) -> Option<u16> {
    match result {
        Err(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    }
}

#[tokio::test]
async fn printer_columns_make_a_table() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    api.create(&PostParams::default(), &log_config("a")).await.unwrap();
    let status = Patch::Merge(json!({"status": {"project": "p", "statusCode": 200, "conditions": [
        {"type": "Accepted", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Ready", "status": "True", "reason": "Synced", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}));
    api.patch_status("a", &PatchParams::default(), &status).await.unwrap();
    let path = format!("/apis/{}/namespaces/default/aliyunlogconfigs", log_config_resource().api_version);
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let (code, _, body) = raw(&client, "GET", &path, &accept, Vec::new()).await;
    assert_eq!(code, 200);
    let table: Value = serde_json::from_str(&body).unwrap();
    let names: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Name", "Project", "Logstore", "Config", "Ready", "Reason", "Code", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(
        cells.get(..7).unwrap(),
        [json!("a"), json!("p"), json!("ls"), json!("a1"), json!("True"), json!("Synced"), json!(200)]
    );
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}
