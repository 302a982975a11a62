//! Admission webhooks: who is asked, what their answers do, and what happens when they do not answer.

mod common;
#[path = "common/webhook.rs"]
mod webhook;

use common::{eventually, object, raw, refused, start, with_probe_crd};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use webhook::{Webhook, patched};

/// A webhook of a configuration, for all ConfigMaps; `more` replaces fields.
fn hook(webhook: &Webhook, more: &Value) -> Value {
    let mut hook = json!({
        "name": "a.test.example", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": webhook.url(), "caBundle": webhook.ca_bundle},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        hook[name] = value.clone();
    }
    hook
}

async fn mutating(client: &Client, name: &str, hooks: &[Value]) {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let one = object(json!({"metadata": {"name": name}, "webhooks": hooks}));
    api.create(&PostParams::default(), &one).await.expect("the configuration is accepted");
}

async fn validating(client: &Client, hooks: &[Value]) {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let one = object(json!({"metadata": {"name": "v"}, "webhooks": hooks}));
    api.create(&PostParams::default(), &one).await.expect("the configuration is accepted");
}

fn config_maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

fn config_map(name: &str) -> ConfigMap {
    object(json!({"metadata": {"name": name}, "data": {"k": "v"}}))
}

async fn allows() -> Webhook {
    Webhook::start(&["127.0.0.1"], |_| json!({"allowed": true})).await
}

/// Adds its letter to a value that shows who was asked.
async fn adds(letter: &'static str) -> Webhook {
    Webhook::start(&["127.0.0.1"], move |request| {
        let seen = request["object"]["data"]["seen"].as_str().unwrap_or_default();
        if seen.contains(letter) {
            return json!({"allowed": true});
        }
        patched(&json!([{"op": "add", "path": "/data/seen", "value": format!("{seen}{letter}")}]))
    })
    .await
}

#[tokio::test]
async fn a_patch_changes_what_is_stored_and_nobody_owns_it() {
    let (_server, client) = start().await;
    let webhook = adds("x").await;
    mutating(&client, "m", &[hook(&webhook, &json!({}))]).await;
    let made = config_maps(&client).create(&PostParams::default(), &config_map("a")).await.unwrap();
    assert_eq!(made.data.as_ref().and_then(|data| data.get("seen")).map(String::as_str), Some("x"));
    assert_eq!(config_maps(&client).get("a").await.unwrap(), made);
    let fields = serde_json::to_string(&made.metadata.managed_fields).unwrap();
    assert!(fields.contains("f:k") && !fields.contains("f:seen"), "{fields}");

    let request = webhook.requests().remove(0);
    assert_eq!(request["operation"], "CREATE");
    assert_eq!(request["namespace"], "default");
    assert_eq!(request["name"], "a");
    assert_eq!(request["resource"], json!({"group": "", "version": "v1", "resource": "configmaps"}));
    assert_eq!(request["object"]["metadata"]["namespace"], "default");
    assert_eq!(request["object"]["metadata"].get("uid"), None, "it has none before it is stored");
    assert_eq!(request["oldObject"], Value::Null);
    assert_eq!(request["dryRun"], false);
}

#[tokio::test]
async fn an_update_and_a_delete_show_the_object_as_it_was() {
    let (_server, client) = start().await;
    let webhook = allows().await;
    validating(&client, &[hook(&webhook, &json!({}))]).await;
    let api = config_maps(&client);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let patch = Patch::Merge(json!({"data": {"k": "w"}}));
    api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let seen: Vec<_> = webhook
        .requests()
        .iter()
        .map(|request| {
            let value = |of: &str| request[of].pointer("/data/k").cloned().unwrap_or_default();
            (request["operation"].clone(), value("oldObject"), value("object"))
        })
        .collect();
    let expected = [
        (json!("CREATE"), Value::Null, json!("v")),
        (json!("UPDATE"), json!("v"), json!("w")),
        (json!("DELETE"), json!("w"), Value::Null),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_refusal_has_the_code_and_the_words_of_the_webhook() {
    let (server, client) = start().await;
    let webhook = Webhook::start(&["127.0.0.1"], |request| match request["name"].as_str() {
        Some("silent") => json!({"allowed": false}),
        Some("coded") => {
            json!({"allowed": false, "status": {"code": 422, "reason": "Invalid", "message": "bad k",
            "details": {"causes": [{"field": "data.k", "message": "bad"}]}}})
        }
        _ => json!({"allowed": false, "status": {"reason": "NotToday"}}),
    })
    .await;
    validating(&client, &[hook(&webhook, &json!({}))]).await;
    let before = server.resource_version();
    for (name, code, message) in [
        ("silent", 400, r#"admission webhook "a.test.example" denied the request without explanation"#),
        ("coded", 422, r#"admission webhook "a.test.example" denied the request: bad k"#),
        ("other", 400, r#"admission webhook "a.test.example" denied the request: NotToday"#),
    ] {
        let status = refused(config_maps(&client).create(&PostParams::default(), &config_map(name)).await);
        assert_eq!((status.code, status.message.as_str()), (code, message));
    }
    let status = refused(config_maps(&client).create(&PostParams::default(), &config_map("coded")).await);
    assert_eq!(status.reason, "Invalid");
    assert_eq!(status.details.unwrap().causes[0].field, "data.k");
    assert_eq!(server.resource_version(), before, "nothing was written");
}

#[tokio::test]
async fn warnings_become_headers() {
    let (_server, client) = start().await;
    let webhook =
        Webhook::start(&["127.0.0.1"], |_| json!({"allowed": true, "warnings": ["look \"here\""]})).await;
    validating(&client, &[hook(&webhook, &json!({}))]).await;
    let body = json!({"metadata": {"name": "a"}}).to_string().into_bytes();
    let json = [("content-type", "application/json")];
    let path = "/api/v1/namespaces/default/configmaps";
    let (code, headers, _) = raw(&client, "POST", path, &json, body).await;
    assert_eq!(code, 201);
    assert_eq!(headers.get("warning").unwrap(), r#"299 - "look \"here\"""#);
}

#[tokio::test]
async fn webhooks_are_asked_by_the_names_of_their_configurations_and_again_if_they_want_to() {
    let (_server, client) = start().await;
    let (a, b, c) = (adds("a").await, adds("b").await, adds("c").await);
    let again = json!({"reinvocationPolicy": "IfNeeded"});
    mutating(&client, "3", &[hook(&c, &json!({}))]).await;
    mutating(&client, "1", &[hook(&a, &again)]).await;
    mutating(&client, "2", &[hook(&b, &json!({}))]).await;
    let made = config_maps(&client).create(&PostParams::default(), &config_map("x")).await.unwrap();
    assert_eq!(made.data.unwrap().get("seen").map(String::as_str), Some("abc"));
    assert_eq!([a.requests().len(), b.requests().len(), c.requests().len()], [2, 1, 1]);
    assert_eq!(a.requests()[1]["object"]["data"]["seen"], "abc", "it sees what the others did");
}

#[tokio::test]
async fn a_webhook_that_cannot_be_asked_is_passed_over_or_refuses_the_request() {
    let (_server, client) = start().await;
    let webhook = allows().await;
    let (url, port) = ("https://127.0.0.1:1/admit", 1);
    let down = json!({"clientConfig": {"url": url, "caBundle": webhook.ca_bundle}, "timeoutSeconds": 3});
    let with = |more: Value| {
        let mut all = down.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    mutating(&client, "m", &[hook(&webhook, &with(json!({"failurePolicy": "Ignore"})))]).await;
    let api = config_maps(&client);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    validating(&client, &[hook(&webhook, &down)]).await;
    let status = refused(api.create(&PostParams::default(), &config_map("b")).await);
    assert_eq!((status.code, status.reason.as_str()), (500, "InternalError"));
    assert_eq!(
        status.message,
        format!(
            "Internal error occurred: failed calling webhook \"a.test.example\": failed to call webhook: Post \
             \"{url}?timeout=3s\": dial tcp 127.0.0.1:{port}: connect: connection refused"
        )
    );
}

#[tokio::test]
async fn a_webhook_has_a_certificate_that_the_bundle_vouches_for() {
    let (_server, client) = start().await;
    let (webhook, other) = (allows().await, allows().await);
    let stranger = json!({"clientConfig": {"url": webhook.url(), "caBundle": other.ca_bundle}});
    validating(&client, &[hook(&webhook, &stranger)]).await;
    let status = refused(config_maps(&client).create(&PostParams::default(), &config_map("a")).await);
    let expected = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assert!(status.message.ends_with(expected), "{}", status.message);
    assert_eq!(webhook.requests().len(), 0);
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_in_time_is_given_up() {
    let (_server, client) = start().await;
    let webhook = allows().await;
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let slow = json!({"clientConfig": {"url": url, "caBundle": webhook.ca_bundle}, "timeoutSeconds": 1});
    validating(&client, &[hook(&webhook, &slow)]).await;
    let status = refused(config_maps(&client).create(&PostParams::default(), &config_map("a")).await);
    assert!(status.message.ends_with("?timeout=1s\": context deadline exceeded"), "{}", status.message);
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let (_server, client) = start().await;
    let webhook = Webhook::start(&["127.0.0.1"], |_| json!({"uid": "other", "allowed": true})).await;
    validating(&client, &[hook(&webhook, &json!({}))]).await;
    let status = refused(config_maps(&client).create(&PostParams::default(), &config_map("a")).await);
    let expected = "received invalid webhook response: expected response.uid=";
    assert!(status.message.contains(expected), "{}", status.message);
}

#[tokio::test]
async fn selectors_rules_and_conditions_choose_what_is_asked_about() {
    let (_server, client) = start().await;
    let webhook = allows().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for (name, labels) in [("on", json!({"watched": "yes"})), ("off", json!({}))] {
        let namespace = object(json!({"metadata": {"name": name, "labels": labels}}));
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }
    let more = json!({
        "namespaceSelector": {"matchLabels": {"watched": "yes"}},
        "objectSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]},
        "matchConditions": [{"name": "c", "expression": "!object.metadata.name.startsWith('quiet')"}],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"],
            "scope": "Namespaced"}],
    });
    validating(&client, &[hook(&webhook, &more)]).await;
    for (namespace, name, labels) in [
        ("on", "asked", json!({})),
        ("on", "skipped", json!({"skip": "1"})),
        ("on", "quiet-one", json!({})),
        ("off", "elsewhere", json!({})),
    ] {
        let one = object::<ConfigMap>(json!({"metadata": {"name": name, "labels": labels}}));
        let api = Api::namespaced(client.clone(), namespace);
        api.create(&PostParams::default(), &one).await.unwrap();
    }
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "on");
    api.patch("asked", &PatchParams::default(), &Patch::Merge(json!({"data": {"a": "b"}}))).await.unwrap();
    let secret: k8s_openapi::api::core::v1::Secret = object(json!({"metadata": {"name": "other"}}));
    Api::namespaced(client.clone(), "on").create(&PostParams::default(), &secret).await.unwrap();
    let asked: Vec<_> = webhook.requests().iter().map(|request| request["name"].clone()).collect();
    assert_eq!(asked, [json!("asked")]);
}

#[tokio::test]
async fn a_dry_run_asks_and_says_so_and_stores_nothing() {
    let (server, client) = start().await;
    let webhook = adds("x").await;
    mutating(&client, "m", &[hook(&webhook, &json!({}))]).await;
    let before = server.resource_version();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let made = config_maps(&client).create(&dry, &config_map("a")).await.unwrap();
    assert_eq!(made.data.unwrap().get("seen").map(String::as_str), Some("x"));
    assert_eq!(server.resource_version(), before);
    assert_eq!(webhook.requests()[0]["dryRun"], true);
    assert_eq!(webhook.requests()[0]["options"]["dryRun"], json!(["All"]));
}

#[tokio::test]
async fn a_pod_is_filled_in_again_after_a_patch_and_its_status_is_a_part_of_its_own() {
    let (_server, client) = start().await;
    let webhook = Webhook::start(&["127.0.0.1"], |request| {
        if request["subResource"] == "status" {
            return json!({"allowed": true});
        }
        patched(
            &json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "extra", "image": "i"}}]),
        )
    })
    .await;
    let rules = |resources: Value| {
        json!({"rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
            "resources": resources}]})
    };
    mutating(&client, "m", &[hook(&webhook, &rules(json!(["pods", "pods/status"])))]).await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    let pod = object(
        json!({"metadata": {"generateName": "a-"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}),
    );
    let made = pods.create(&PostParams::default(), &pod).await.unwrap();
    let containers = made.spec.unwrap().containers;
    assert_eq!(containers[1].name, "extra");
    assert_eq!(containers[1].image_pull_policy.as_deref(), Some("Always"), "the default of its image");
    assert_eq!(webhook.requests()[0].get("name"), None, "the name is still to be made");
    let name = made.metadata.name.unwrap();
    let status = Patch::Merge(json!({"status": {"phase": "Running"}}));
    pods.patch_status(&name, &PatchParams::default(), &status).await.unwrap();
    let requests = webhook.requests();
    assert_eq!(requests[1]["subResource"], "status");
    assert_eq!(requests[1]["name"], name.as_str());
}

#[tokio::test]
async fn a_service_is_where_the_simulator_was_told() {
    let (server, client) = start().await;
    let webhook = Webhook::start(&["hooks.default.svc"], |_| json!({"allowed": true})).await;
    let service = json!({"clientConfig": {"caBundle": webhook.ca_bundle,
        "service": {"name": "hooks", "namespace": "default", "path": "/admit"}}});
    validating(&client, &[hook(&webhook, &service)]).await;
    let try_it = || async { config_maps(&client).create(&PostParams::default(), &config_map("a")).await };
    let url = "https://hooks.default.svc:443/admit?timeout=10s";
    let missing = refused(try_it().await);
    assert!(
        missing.message.ends_with(&format!("Post \"{url}\": service \"hooks\" not found")),
        "{}",
        missing.message
    );
    let made: Service = object(json!({"metadata": {"name": "hooks"}, "spec": {"ports": [{"port": 443}]}}));
    Api::namespaced(client.clone(), "default").create(&PostParams::default(), &made).await.unwrap();
    assert!(refused(try_it().await).message.contains("service \"hooks\" has no route"));
    server.route_service("default", "hooks", webhook.address);
    try_it().await.unwrap();
}

#[tokio::test]
async fn custom_resources_are_asked_about_and_a_broken_configuration_can_be_removed() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let webhook = allows().await;
    let everything = json!({
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}],
    });
    validating(&client, &[hook(&webhook, &everything)]).await;
    let one = common::log_config("a");
    assert_eq!(refused(api.create(&PostParams::default(), &one).await).code, 500);
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    configurations.delete("v", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &one).await.unwrap();
    eventually("it is stored", || async { api.get_opt("a").await.unwrap() }).await;
}

#[tokio::test]
async fn a_configuration_is_filled_in_and_checked() {
    let (_server, client) = start().await;
    let webhook = allows().await;
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let make = |hooks: Vec<Value>| object(json!({"metadata": {"name": "m"}, "webhooks": hooks}));
    for (more, message) in [
        (
            json!({"name": "short"}),
            "webhooks[0].name: Invalid value: \"short\": should be a domain with at least three segments separated by dots",
        ),
        (
            json!({"timeoutSeconds": 31}),
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (
            json!({"sideEffects": "Some"}),
            "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
        ),
        (
            json!({"clientConfig": {}}),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!({"clientConfig": {"url": "http://x/"}}),
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
    ] {
        let status = refused(api.create(&PostParams::default(), &make(vec![hook(&webhook, &more)])).await);
        assert_eq!(status.code, 422);
        assert!(status.message.ends_with(message), "{}", status.message);
    }
    let made = api.create(&PostParams::default(), &make(vec![hook(&webhook, &json!({}))])).await.unwrap();
    let made = serde_json::to_value(&made.webhooks.unwrap()[0]).unwrap();
    for (field, value) in [
        ("failurePolicy", json!("Fail")),
        ("matchPolicy", json!("Equivalent")),
        ("reinvocationPolicy", json!("Never")),
        ("timeoutSeconds", json!(10)),
        ("namespaceSelector", json!({})),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(made["rules"][0]["scope"], "*");
}
