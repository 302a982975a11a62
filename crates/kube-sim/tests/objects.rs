//! Creating, reading, replacing and deleting objects.

mod common;

use common::{eventually, object, raw, refused, start};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt as _};
use serde_json::json;

fn config_map(name: &str) -> ConfigMap {
    object(json!({"metadata": {"name": name}, "data": {"k": "v"}}))
}

fn config_maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

fn deployment(name: &str) -> Deployment {
    object(json!({"metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}))
}

#[tokio::test]
async fn a_new_object_gets_uid_time_and_version_and_can_be_read_back() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let made = api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    assert_eq!(made.namespace().as_deref(), Some("default"));
    assert!(made.uid().is_some() && made.creation_timestamp().is_some() && made.resource_version().is_some());
    assert_eq!(made.metadata.generation, None, "config maps have no generation");
    assert_eq!(api.get("a").await.unwrap(), made);
}

#[tokio::test]
async fn the_usual_refusals_have_the_reasons_of_the_real_server() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let again = refused(api.create(&PostParams::default(), &config_map("a")).await);
    assert_eq!(
        (again.code, &*again.reason, &*again.message),
        (409, "AlreadyExists", "configmaps \"a\" already exists")
    );
    let missing = refused(api.get("b").await);
    assert_eq!(
        (missing.code, &*missing.reason, &*missing.message),
        (404, "NotFound", "configmaps \"b\" not found")
    );
    let bad = refused(api.create(&PostParams::default(), &config_map("Not_A_Name")).await);
    assert_eq!((bad.code, &*bad.reason), (422, "Invalid"));
    assert!(bad.message.starts_with("ConfigMap \"Not_A_Name\" is invalid: metadata.name: Invalid value: \"Not_A_Name\": a lowercase RFC 1123 subdomain"), "{}", bad.message);
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "nowhere");
    let nowhere = refused(elsewhere.create(&PostParams::default(), &config_map("a")).await);
    assert_eq!((nowhere.code, &*nowhere.message), (404, "namespaces \"nowhere\" not found"));
    let (code, _, body) = raw(&client, "GET", "/apis/no.such.group/v1/things", &[], Vec::new()).await;
    assert_eq!(code, 404, "{body}");
}

#[tokio::test]
async fn names_are_generated_from_a_prefix() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let one: ConfigMap = object(json!({"metadata": {"generateName": "x-"}}));
    let first = api.create(&PostParams::default(), &one).await.unwrap().name_any();
    let second = api.create(&PostParams::default(), &one).await.unwrap().name_any();
    assert!(first.starts_with("x-") && first.len() == 7 && first != second);
}

#[tokio::test]
async fn a_replace_needs_the_current_version_and_moves_it() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let first = api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let mut changed = first.clone();
    changed.data.get_or_insert_default().insert("k".into(), "w".into());
    let second = api.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(second.resource_version(), first.resource_version());
    assert_eq!(second.uid(), first.uid());
    let late = refused(api.replace("a", &PostParams::default(), &changed).await);
    assert_eq!((late.code, &*late.reason), (409, "Conflict"));
    assert_eq!(
        late.message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to \
         the latest version and try again"
    );
    changed.metadata.resource_version = None;
    changed.metadata.uid = Some("other".into());
    assert_eq!(refused(api.replace("a", &PostParams::default(), &changed).await).code, 409, "another uid");
}

#[tokio::test]
async fn a_write_that_changes_nothing_is_no_write() {
    let (server, client) = start().await;
    let api = config_maps(&client);
    let made = api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let before = server.resource_version();
    let same = api.replace("a", &PostParams::default(), &made).await.unwrap();
    assert_eq!(same, made);
    assert_eq!(server.resource_version(), before);
}

#[tokio::test]
async fn generation_counts_changes_of_the_specification_only() {
    let (_server, client) = start().await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let made = api.create(&PostParams::default(), &deployment("d")).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    let merge = |patch| Patch::Merge(patch);
    let label = json!({"metadata": {"labels": {"x": "y"}}});
    let labelled = api.patch("d", &PatchParams::default(), &merge(label)).await.unwrap();
    assert_eq!(labelled.metadata.generation, Some(1));
    let scaled =
        api.patch("d", &PatchParams::default(), &merge(json!({"spec": {"replicas": 3}}))).await.unwrap();
    assert_eq!(scaled.metadata.generation, Some(2));
    let status = json!({"status": {"replicas": 3}});
    let reported = api.patch_status("d", &PatchParams::default(), &merge(status)).await.unwrap();
    assert_eq!(reported.metadata.generation, Some(2));
}

#[tokio::test]
async fn status_and_specification_have_a_door_each() {
    let (_server, client) = start().await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    api.create(&PostParams::default(), &deployment("d")).await.unwrap();
    let both = json!({"spec": {"replicas": 5}, "status": {"replicas": 7}});
    let by_main = api.patch("d", &PatchParams::default(), &Patch::Merge(&both)).await.unwrap();
    assert_eq!(by_main.spec.replicas, Some(5));
    assert_eq!(by_main.status.as_ref().and_then(|s| s.replicas), None, "the main door ignores status");
    let both = json!({"spec": {"replicas": 9}, "status": {"replicas": 7}});
    let by_status = api.patch_status("d", &PatchParams::default(), &Patch::Merge(&both)).await.unwrap();
    assert_eq!(by_status.spec.replicas, Some(5), "the status door ignores the rest");
    assert_eq!(by_status.status.unwrap().replicas, Some(7));
}

#[tokio::test]
async fn a_dry_run_answers_like_a_write_and_stores_nothing() {
    let (server, client) = start().await;
    let api = config_maps(&client);
    let before = server.resource_version();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    assert!(api.create(&dry, &config_map("a")).await.unwrap().uid().is_some());
    assert_eq!(refused(api.create(&dry, &config_map("BAD")).await).code, 422);
    assert!(api.get_opt("a").await.unwrap().is_none());
    assert_eq!(server.resource_version(), before);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    api.delete("a", &DeleteParams { dry_run: true, ..DeleteParams::default() }).await.unwrap();
    api.get("a").await.unwrap();
}

#[tokio::test]
async fn delete_preconditions_are_checked() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let made = api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let with = |uid: Option<String>, resource_version: Option<String>| {
        DeleteParams::default().preconditions(Preconditions { uid, resource_version })
    };
    assert_eq!(refused(api.delete("a", &with(Some("x".into()), None)).await).code, 409);
    assert_eq!(refused(api.delete("a", &with(None, Some("1".into()))).await).code, 409);
    api.delete("a", &with(made.uid(), made.resource_version())).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn an_object_with_finalizers_waits_for_the_last_one() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let mut held = config_map("a");
    held.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    let waiting =
        api.delete("a", &DeleteParams::default()).await.unwrap().left().expect("the object comes back");
    assert!(waiting.metadata.deletion_timestamp.is_some());
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    let refusal = refused(api.patch("a", &PatchParams::default(), &Patch::Merge(more)).await);
    assert_eq!(refusal.code, 422);
    assert!(refusal.message.contains("no new finalizers can be added if the object is being deleted"));
    let none = json!({"metadata": {"finalizers": null}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    for (name, app) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut map = config_map(name);
        map.metadata.labels = Some([("app".to_owned(), app.to_owned())].into());
        api.create(&PostParams::default(), &map).await.unwrap();
    }
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("app=x")).await.unwrap();
    let left: Vec<String> =
        api.list(&ListParams::default()).await.unwrap().into_iter().map(|m| m.name_any()).collect();
    assert_eq!(left, ["c"]);
}

#[tokio::test]
async fn a_namespace_takes_its_content_with_it() {
    let (_server, client) = start().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &object(json!({"metadata": {"name": "tmp"}}))).await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "tmp");
    let mut held = config_map("held");
    held.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    api.create(&PostParams::default(), &config_map("free")).await.unwrap();
    namespaces.delete("tmp", &DeleteParams::default()).await.unwrap();
    let terminating = namespaces.get("tmp").await.unwrap();
    assert_eq!(terminating.status.unwrap().phase.as_deref(), Some("Terminating"));
    let refusal = refused(api.create(&PostParams::default(), &config_map("late")).await);
    assert_eq!((refusal.code, &*refusal.reason), (403, "Forbidden"));
    eventually("the free object is gone", || async {
        api.get_opt("free").await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(namespaces.get_opt("tmp").await.unwrap().is_some(), "the held object keeps the namespace");
    let none = json!({"metadata": {"finalizers": null}});
    api.patch("held", &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
    eventually("the namespace is gone", || async {
        namespaces.get_opt("tmp").await.unwrap().is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn dependents_go_with_their_owner_unless_they_are_orphaned() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let owned_by = |name: &str, owner: &ConfigMap| -> ConfigMap {
        object(json!({"metadata": {"name": name, "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name_any(), "uid": owner.uid()}]}}))
    };
    let owner = api.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let child = api.create(&PostParams::default(), &owned_by("child", &owner)).await.unwrap();
    api.create(&PostParams::default(), &owned_by("grandchild", &child)).await.unwrap();
    api.delete("owner", &DeleteParams::background()).await.unwrap();
    for name in ["child", "grandchild"] {
        eventually(name, || async { api.get_opt(name).await.unwrap().is_none().then_some(()) }).await;
    }
    let owner = api.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    api.create(&PostParams::default(), &owned_by("orphan", &owner)).await.unwrap();
    api.delete("owner", &DeleteParams::orphan()).await.unwrap();
    let orphan = api.get("orphan").await.unwrap();
    assert_eq!(orphan.owner_references(), []);
    // An owner that never was is as good as one that is gone.
    let mut ghost = config_map("ghost");
    ghost.metadata.name = Some("never-was".into());
    ghost.metadata.uid = Some("00000000-0000-4000-8000-000000000000".into());
    api.create(&PostParams::default(), &owned_by("haunted", &ghost)).await.unwrap();
    let mut stranger = config_map("stranger");
    stranger.metadata.owner_references = Some(vec![object(
        json!({"apiVersion": "unknown.example.com/v1", "kind": "Thing", "name": "t", "uid": "u"}),
    )]);
    api.create(&PostParams::default(), &stranger).await.unwrap();
    eventually("haunted", || async { api.get_opt("haunted").await.unwrap().is_none().then_some(()) }).await;
    assert!(api.get_opt("stranger").await.unwrap().is_some(), "an owner of an unknown kind counts as there");
}

#[tokio::test]
async fn string_data_of_secrets_becomes_data() {
    let (_server, client) = start().await;
    let api: Api<Secret> = Api::namespaced(client, "default");
    let secret: Secret = object(json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}}));
    let made = api.create(&PostParams::default(), &secret).await.unwrap();
    assert_eq!(made.type_.as_deref(), Some("Opaque"));
    assert_eq!(made.data.unwrap().get("a").unwrap().0, b"b");
    assert_eq!(made.string_data, None);
}

#[tokio::test]
async fn cluster_scoped_objects_have_no_namespace() {
    let (_server, client) = start().await;
    let api: Api<Node> = Api::all(client.clone());
    let node =
        api.create(&PostParams::default(), &object(json!({"metadata": {"name": "n1"}}))).await.unwrap();
    assert_eq!(node.namespace(), None);
    let (code, _, _) = raw(&client, "GET", "/api/v1/namespaces/default/nodes/n1", &[], Vec::new()).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn bodies_are_bounded_and_their_type_is_checked() {
    let (_server, client) = start().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let big = vec![b' '; 3 * 1024 * 1024 + 1];
    let (code, _, body) = raw(&client, "POST", path, &[("content-type", "application/json")], big).await;
    assert_eq!(code, 413, "{body}");
    let protobuf = [("content-type", "application/vnd.kubernetes.protobuf")];
    let (code, _, _) = raw(&client, "POST", path, &protobuf, b"k8s\0".to_vec()).await;
    assert_eq!(code, 415);
    let accept = [("accept", "application/vnd.kubernetes.protobuf")];
    let (code, _, _) = raw(&client, "GET", path, &accept, Vec::new()).await;
    assert_eq!(code, 406);
    let json = [("content-type", "application/json")];
    for garbage in ["{", "[1]", "\"x\"", "{\"kind\":\"Pod\"}", "{\"metadata\":[]}", "\u{1}"] {
        let (code, _, body) = raw(&client, "POST", path, &json, garbage.into()).await;
        assert!((400..500).contains(&code), "{garbage}: {code} {body}");
    }
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml\ndata:\n  a: b\n";
    let (code, _, body) =
        raw(&client, "POST", path, &[("content-type", "application/yaml")], yaml.into()).await;
    assert_eq!(code, 201, "{body}");
}

#[tokio::test]
async fn a_request_refused_for_its_body_is_recorded_as_any_other() {
    let (server, client) = start().await;
    server.record();
    let path = "/api/v1/namespaces/default/configmaps";
    let big = vec![b' '; 3 * 1024 * 1024 + 1];
    raw(&client, "POST", path, &[("content-type", "application/json")], big).await;
    let recorded = server.recording().exchanges;
    let seen: Vec<_> = recorded.iter().map(|one| (one.method.as_str(), one.uri.as_str(), one.code)).collect();
    assert_eq!(seen, [("POST", path, 413)]);
}

#[tokio::test]
async fn strict_validation_refuses_unknown_and_repeated_fields() {
    let (_server, client) = start().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let json = [("content-type", "application/json")];
    let body = r#"{"metadata": {"name": "a", "name": "a"}, "dat": {"k": "v"}}"#;
    let (code, _, answer) =
        raw(&client, "POST", &format!("{path}?fieldValidation=Strict"), &json, body.into()).await;
    assert_eq!(code, 400);
    assert!(
        answer.contains(r#"strict decoding error: duplicate field \"metadata.name\", unknown field \"dat\""#),
        "{answer}"
    );
    let (code, headers, _) = raw(&client, "POST", path, &json, body.into()).await;
    assert_eq!(code, 201);
    let warnings: Vec<&str> = headers.get_all("warning").iter().map(|w| w.to_str().unwrap()).collect();
    assert_eq!(
        warnings,
        ["299 - \"duplicate field \\\"metadata.name\\\"\"", "299 - \"unknown field \\\"dat\\\"\""]
    );
    let ignore = format!("{path}/a?fieldValidation=Ignore");
    let (code, headers, _) = raw(&client, "PUT", &ignore, &json, body.into()).await;
    assert_eq!((code, headers.contains_key("warning")), (200, false));
}
