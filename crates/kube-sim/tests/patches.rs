//! The four patch formats.

mod common;

use common::{log_config, object, refused, start, with_probe_crd};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

fn config_maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

async fn make_map(client: &Client, data: Value) -> ConfigMap {
    let map: ConfigMap = object(json!({"metadata": {"name": "a"}, "data": data}));
    config_maps(client).create(&PostParams::default(), &map).await.unwrap()
}

fn json_patch(operations: Value) -> Patch<()> {
    Patch::Json(serde_json::from_value(operations).unwrap())
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "one", "image": "i:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"name": "two", "image": "i:1"}]}}}})
}

async fn make_deployment(client: &Client) -> Api<Deployment> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    api.create(&PostParams::default(), &object(deployment("d"))).await.unwrap();
    api
}

fn containers(deployment: &Deployment) -> Value {
    let spec = serde_json::to_value(&deployment.spec).unwrap();
    let list = spec.pointer("/template/spec/containers").and_then(Value::as_array).cloned().unwrap();
    list.iter().map(|c| json!({"name": c["name"], "image": c["image"], "env": c["env"]})).collect()
}

#[tokio::test]
async fn a_json_patch_is_applied_and_its_test_is_kept() {
    let (_server, client) = start().await;
    make_map(&client, json!({"k": "v"})).await;
    let api = config_maps(&client);
    let good = json_patch(json!([
        {"op": "test", "path": "/data/k", "value": "v"}, {"op": "replace", "path": "/data/k", "value": "w"}]));
    let patched = api.patch("a", &PatchParams::default(), &good).await.unwrap();
    assert_eq!(patched.data.unwrap()["k"], "w");
    let failed = refused(api.patch("a", &PatchParams::default(), &good).await);
    assert_eq!((failed.code, &*failed.reason), (422, "Invalid"));
}

#[tokio::test]
async fn a_merge_patch_may_carry_the_version_it_expects() {
    let (_server, client) = start().await;
    let first = make_map(&client, json!({"k": "v", "gone": "x"})).await;
    let api = config_maps(&client);
    let with_version = |value: &str| {
        Patch::Merge(
            json!({"metadata": {"resourceVersion": first.resource_version()}, "data": {"k": value, "gone": null}}),
        )
    };
    let patched = api.patch("a", &PatchParams::default(), &with_version("w")).await.unwrap();
    assert_eq!(patched.data.unwrap().into_iter().collect::<Vec<_>>(), [("k".to_owned(), "w".to_owned())]);
    assert_eq!(refused(api.patch("a", &PatchParams::default(), &with_version("z")).await).code, 409);
}

#[tokio::test]
async fn a_strategic_patch_merges_lists_by_their_keys() {
    let (_server, client) = start().await;
    let api = make_deployment(&client).await;
    let patch = Patch::Strategic(json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "three"}, {"name": "one"}],
        "containers": [
            {"name": "one", "image": "i:2", "env": [{"name": "B", "$patch": "delete"}, {"name": "C", "value": "3"}]},
            {"name": "three", "image": "i:3"}, {"name": "two", "$patch": "delete"}]}}}}));
    let patched = api.patch("d", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(
        containers(&patched),
        json!([{"name": "three", "image": "i:3", "env": null},
               {"name": "one", "image": "i:2", "env": [{"name": "C", "value": "3"}, {"name": "A", "value": "1"}]}])
    );
}

#[tokio::test]
async fn a_strategic_patch_knows_primitive_lists_replacement_and_retained_keys() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let map: ConfigMap = object(json!({"metadata": {"name": "a", "finalizers": ["x.io/a", "x.io/b"],
        "labels": {"l": "1", "m": "2"}}, "data": {"k": "v"}}));
    api.create(&PostParams::default(), &map).await.unwrap();
    let patch = Patch::Strategic(json!({
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"], "finalizers": ["x.io/c"],
                     "labels": {"$retainKeys": ["m", "n"], "n": "3"}},
        "data": {"$patch": "replace", "other": "1"}}));
    let patched = api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.finalizers(), ["x.io/c", "x.io/b"]);
    assert_eq!(json!(patched.labels()), json!({"m": "2", "n": "3"}));
    assert_eq!(json!(patched.data), json!({"other": "1"}));
}

#[tokio::test]
async fn custom_resources_take_no_strategic_patch() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    api.create(&PostParams::default(), &log_config("a")).await.unwrap();
    let patch = Patch::Strategic(json!({"spec": {"logstore": "ls"}}));
    assert_eq!(refused(api.patch("a", &PatchParams::default(), &patch).await).code, 415);
}

fn apply_map(data: Value) -> Patch<Value> {
    Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}))
}

fn managers(object: &impl kube::ResourceExt) -> Vec<String> {
    let entries = object.managed_fields().iter();
    entries
        .map(|e| format!("{} {}", e.manager.as_deref().unwrap_or(""), e.operation.as_deref().unwrap_or("")))
        .collect()
}

#[tokio::test]
async fn apply_creates_merges_and_removes_what_is_applied_no_more() {
    let (server, client) = start().await;
    let api = config_maps(&client);
    let one = PatchParams::apply("one");
    let made = api.patch("a", &one, &apply_map(json!({"x": "1", "y": "1"}))).await.unwrap();
    assert_eq!(managers(&made), ["one Apply"]);
    let two = PatchParams::apply("two");
    let both = api.patch("a", &two, &apply_map(json!({"z": "2"}))).await.unwrap();
    assert_eq!(json!(both.data), json!({"x": "1", "y": "1", "z": "2"}));
    let before = server.resource_version();
    api.patch("a", &two, &apply_map(json!({"z": "2"}))).await.unwrap();
    assert_eq!(server.resource_version(), before, "applying the same again is no write");
    let less = api.patch("a", &one, &apply_map(json!({"x": "1"}))).await.unwrap();
    assert_eq!(json!(less.data), json!({"x": "1", "z": "2"}));
}

#[tokio::test]
async fn apply_conflicts_name_the_owner_and_the_field_and_can_be_forced() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    api.patch("a", &PatchParams::apply("one"), &apply_map(json!({"x": "1"}))).await.unwrap();
    let two = PatchParams::apply("two");
    let conflict = refused(api.patch("a", &two, &apply_map(json!({"x": "2"}))).await);
    assert_eq!((conflict.code, &*conflict.reason), (409, "Conflict"));
    assert_eq!(conflict.message, "Apply failed with 1 conflict: conflict with \"one\": .data.x");
    let causes = conflict.details.unwrap().causes;
    assert_eq!(causes.first().map(|c| (&*c.reason, &*c.field)), Some(("FieldManagerConflict", ".data.x")));
    // The same value is no conflict: both own it.
    let shared = api.patch("a", &two, &apply_map(json!({"x": "1"}))).await.unwrap();
    assert_eq!(managers(&shared).len(), 2);
    let forced = api.patch("a", &two.clone().force(), &apply_map(json!({"x": "2"}))).await.unwrap();
    assert_eq!(json!(forced.data), json!({"x": "2"}));
    assert_eq!(managers(&forced), ["two Apply"], "the other lost its only field");
}

#[tokio::test]
async fn an_ordinary_update_takes_fields_over_from_appliers() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    api.patch("a", &PatchParams::apply("one"), &apply_map(json!({"x": "1", "y": "1"}))).await.unwrap();
    let merge = Patch::Merge(json!({"data": {"x": "2"}}));
    let params = PatchParams { field_manager: Some("hand".into()), ..PatchParams::default() };
    let updated = api.patch("a", &params, &merge).await.unwrap();
    assert_eq!(managers(&updated), ["one Apply", "hand Update"]);
    let conflict =
        refused(api.patch("a", &PatchParams::apply("one"), &apply_map(json!({"x": "1", "y": "1"}))).await);
    assert_eq!(conflict.message, "Apply failed with 1 conflict: conflict with \"hand\" using v1: .data.x");
    // Giving the field up leaves it to its new owner.
    let given_up = api.patch("a", &PatchParams::apply("one"), &apply_map(json!({"y": "1"}))).await.unwrap();
    assert_eq!(json!(given_up.data), json!({"x": "2", "y": "1"}));
}

#[tokio::test]
async fn apply_merges_containers_and_environment_by_name() {
    let (_server, client) = start().await;
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let one = PatchParams::apply("one");
    api.patch("d", &one, &Patch::Apply(deployment("d"))).await.unwrap();
    let sidecar = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
        "template": {"spec": {"containers": [{"name": "side", "image": "s:1"},
            {"name": "two", "env": [{"name": "EXTRA", "value": "x"}]}]}}}});
    let both = api.patch("d", &PatchParams::apply("two"), &Patch::Apply(&sidecar)).await.unwrap();
    assert_eq!(
        containers(&both),
        json!([{"name": "one", "image": "i:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
               {"name": "side", "image": "s:1", "env": null},
               {"name": "two", "image": "i:1", "env": [{"name": "EXTRA", "value": "x"}]}])
    );
    // The first manager drops a container that is its own and a variable.
    let mut less = deployment("d");
    less["spec"]["template"]["spec"]["containers"] = json!([{"name": "two", "image": "i:1"}]);
    let left = api.patch("d", &one, &Patch::Apply(less)).await.unwrap();
    assert_eq!(
        containers(&left),
        json!([{"name": "side", "image": "s:1", "env": null},
               {"name": "two", "image": "i:1", "env": [{"name": "EXTRA", "value": "x"}]}])
    );
}

#[tokio::test]
async fn apply_to_status_owns_status_only() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    api.create(&PostParams::default(), &log_config("a")).await.unwrap();
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let status = |conditions: Value| {
        Patch::Apply(json!({"apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
            "metadata": {"name": "a"}, "spec": {"logstore": "ignored"}, "status": {"project": "p", "conditions": conditions}}))
    };
    let params = PatchParams::apply("operator").force();
    let first = api.patch_status("a", &params, &status(json!([condition("Ready", "False")]))).await.unwrap();
    assert_eq!(first.metadata.generation, Some(1));
    assert_eq!(first.data["spec"]["logstore"], "ls");
    let entry = first.managed_fields().iter().find(|e| e.manager.as_deref() == Some("operator")).unwrap();
    assert_eq!(entry.subresource.as_deref(), Some("status"));
    let fields = json!(entry.fields_v1.as_ref().unwrap().0);
    assert_eq!(
        fields,
        json!({"f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:lastTransitionTime": {}, "f:message": {},
            "f:reason": {}, "f:status": {}, "f:type": {}}}, "f:project": {}}})
    );
    // Another manager adds a condition; the first keeps only its own.
    let other = PatchParams::apply("other");
    let conditions_only = |conditions: Value| {
        Patch::Apply(json!({"apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
            "metadata": {"name": "a"}, "status": {"conditions": conditions}}))
    };
    api.patch_status("a", &other, &conditions_only(json!([condition("Seen", "True")]))).await.unwrap();
    let both = api.patch_status("a", &params, &status(json!([condition("Ready", "True")]))).await.unwrap();
    let types: Vec<&Value> =
        both.data["status"]["conditions"].as_array().unwrap().iter().map(|c| &c["type"]).collect();
    assert_eq!(types, ["Ready", "Seen"]);
}

#[tokio::test]
async fn apply_needs_a_manager_a_kind_and_a_free_version() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let (code, _, body) = common::raw(
        &client,
        "PATCH",
        "/api/v1/namespaces/default/configmaps/a",
        &[("content-type", "application/apply-patch+yaml")],
        b"apiVersion: v1\nkind: ConfigMap\n".to_vec(),
    )
    .await;
    assert_eq!(code, 422, "{body}");
    let wrong = Patch::Apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}));
    assert_eq!(refused(api.patch("a", &PatchParams::apply("m"), &wrong).await).code, 400);
    let versioned = |version: &str| {
        Patch::Apply(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": version}}),
        )
    };
    api.patch("a", &PatchParams::apply("m"), &versioned("0")).await.unwrap();
    assert_eq!(refused(api.patch("a", &PatchParams::apply("m"), &versioned("5")).await).code, 409);
}

#[tokio::test]
async fn the_patches_of_the_lease_manager_work() {
    // What kube-lease-manager 0.13 sends: create, apply to take, strategic
    // patches with the version to renew and to release.
    let (_server, client) = start().await;
    let api: Api<Lease> = Api::namespaced(client, "default");
    let empty: Lease = object(json!({"metadata": {"name": "l"}, "spec": {}}));
    api.create(&PostParams::default(), &empty).await.unwrap();
    assert_eq!(refused(api.create(&PostParams::default(), &empty).await).reason, "AlreadyExists");
    let params = PatchParams::apply("me").force();
    let taken = api
        .patch(
            "l",
            &params,
            &Patch::Apply(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "spec": {"acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z",
                     "holderIdentity": "me", "leaseDurationSeconds": 10, "leaseTransitions": 1}})),
        )
        .await
        .unwrap();
    let renew = |version: Option<String>| {
        Patch::Strategic(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"resourceVersion": version, "name": "l"},
            "spec": {"renewTime": "2026-01-01T00:00:05.000000Z", "leaseDurationSeconds": 10}}))
    };
    let plain = PatchParams { field_manager: Some("me".into()), ..PatchParams::default() };
    let renewed = api.patch("l", &plain, &renew(taken.resource_version())).await.unwrap();
    assert_eq!(renewed.spec.as_ref().unwrap().holder_identity.as_deref(), Some("me"));
    assert_eq!(refused(api.patch("l", &plain, &renew(taken.resource_version())).await).code, 409);
}

#[tokio::test]
async fn strict_validation_holds_for_patches_too() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    api.create(&PostParams::default(), &log_config("a")).await.unwrap();
    let strict =
        PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() };
    let merge = Patch::Merge(json!({"spec": {"ttl": 7}}));
    let refusal = refused(api.patch("a", &strict, &merge).await);
    assert_eq!(refusal.code, 422);
    assert!(
        refusal.message.ends_with("strict decoding error: unknown field \"spec.ttl\""),
        "{}",
        refusal.message
    );
    let lenient: DynamicObject = api.patch("a", &PatchParams::default(), &merge).await.unwrap();
    assert_eq!(lenient.data["spec"].get("ttl"), None);
    // Apply is strict whatever the client asks for.
    let mut config = log_config("a");
    config.data["spec"]["ttl"] = json!(7);
    let refusal = refused(api.patch("a", &PatchParams::apply("me").force(), &Patch::Apply(&config)).await);
    assert_eq!(refusal.code, 500);
    assert!(refusal.message.ends_with(".spec.ttl: field not declared in schema"), "{}", refusal.message);
}

#[tokio::test]
async fn many_writers_at_once_lose_no_update() {
    let (_server, client) = start().await;
    make_map(&client, json!({})).await;
    let writers = (0..40).map(|n| {
        let api = config_maps(&client);
        async move {
            let patch = Patch::Merge(json!({"data": {format!("k{n}"): "v"}}));
            api.patch("a", &PatchParams::default(), &patch).await.unwrap();
        }
    });
    futures::future::join_all(writers).await;
    assert_eq!(config_maps(&client).get("a").await.unwrap().data.unwrap().len(), 40);
}

#[tokio::test]
async fn a_running_pod_changes_in_a_few_fields_only() {
    let (_server, client) = start().await;
    let api: Api<Pod> = Api::namespaced(client, "default");
    let pod: Pod =
        object(json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}));
    api.create(&PostParams::default(), &pod).await.unwrap();
    let image = Patch::Strategic(json!({"spec": {"containers": [{"name": "c", "image": "j"}]}}));
    api.patch("p", &PatchParams::default(), &image).await.unwrap();
    let command = Patch::Strategic(json!({"spec": {"containers": [{"name": "c", "command": ["x"]}]}}));
    let refusal = refused(api.patch("p", &PatchParams::default(), &command).await);
    assert_eq!(refusal.code, 422);
    assert!(
        refusal.message.starts_with("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change"),
        "{}",
        refusal.message
    );
}
