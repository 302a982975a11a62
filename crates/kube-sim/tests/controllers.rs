//! The runtime of kube-rs against the server: controllers with finalizers,
//! event recorders, reflectors.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{eventually, log_config, log_config_resource, object, start, with_probe_crd};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Event as CoreEvent};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event as NewEvent, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::{Controller, watcher};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::json;

struct Context {
    client: Client,
    log: Mutex<Vec<String>>,
}

const FINALIZER: &str = "example.com/cleanup";

/// Copies the Logstore of each AliyunLogConfig into a ConfigMap of the same
/// name, and reports it in the status.
async fn reconcile(
    config: Arc<DynamicObject>,
    context: Arc<Context>,
) -> Result<Action, finalizer::Error<kube::Error>> {
    let api = common::log_configs(&context.client, "default");
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), "default");
    finalizer(&api, FINALIZER, config, |event| async {
        match event {
            finalizer::Event::Apply(config) => {
                let name = config.name_any();
                let owner = config.controller_owner_ref(&log_config_resource());
                let logstore = &config.data["spec"]["logstore"];
                let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": name, "ownerReferences": [owner]}, "data": {"logstore": logstore}});
                maps.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(map)).await?;
                let status = json!({"apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
                    "status": {"observedGeneration": config.metadata.generation, "project": logstore}});
                api.patch_status(&name, &PatchParams::apply("test").force(), &Patch::Apply(status)).await?;
                context.log.lock().unwrap().push(format!("apply {name}"));
            }
            finalizer::Event::Cleanup(config) => {
                context.log.lock().unwrap().push(format!("cleanup {}", config.name_any()));
            }
        }
        Ok(Action::await_change())
    })
    .await
}

#[tokio::test]
async fn a_controller_with_a_finalizer_reconciles_until_the_end() {
    let (server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let context = Arc::new(Context { client: client.clone(), log: Mutex::default() });
    let controller = Controller::new_with(api.clone(), watcher::Config::default(), log_config_resource())
        .owns(maps.clone(), watcher::Config::default())
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_millis(50)), context.clone())
        .for_each(|_| std::future::ready(()));
    let controller = tokio::spawn(controller);

    api.create(&PostParams::default(), &log_config("a")).await.unwrap();
    let observed = |generation: i64| {
        let api = api.clone();
        async move {
            eventually("the status follows", || async {
                let config = api.get("a").await.unwrap();
                (config.data["status"]["observedGeneration"].as_i64() == Some(generation)).then_some(config)
            })
            .await
        }
    };
    let first = observed(1).await;
    assert_eq!(first.finalizers(), [FINALIZER]);
    api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"spec": {"lifeCycle": 7}}))).await.unwrap();
    observed(2).await;

    // What it owns is put back, through a watch that was cut and a history
    // that was lost.
    server.cut_watches();
    server.compact();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    eventually("the map is back", || async { maps.get_opt("a").await.unwrap() }).await;

    // A controller with nothing to do writes nothing.
    let quiet = eventually("it settles", || async {
        let before = server.resource_version();
        tokio::time::sleep(Duration::from_millis(150)).await;
        (server.resource_version() == before).then_some(before)
    })
    .await;
    assert_eq!(server.resource_version(), quiet);

    api.delete("a", &DeleteParams::default()).await.unwrap();
    eventually("the object is gone", || async { api.get_opt("a").await.unwrap().is_none().then_some(()) })
        .await;
    eventually("its map is collected", || async { maps.get_opt("a").await.unwrap().is_none().then_some(()) })
        .await;
    assert_eq!(context.log.lock().unwrap().last().map(String::as_str), Some("cleanup a"));
    controller.abort();
}

#[tokio::test]
async fn recorded_events_are_seen_in_both_groups_and_counted() {
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let config = api.create(&PostParams::default(), &log_config("a")).await.unwrap();
    let recorder = Recorder::new(client.clone(), Reporter { controller: "operator".into(), instance: None });
    let event = NewEvent {
        type_: EventType::Warning,
        reason: "RegexKeyMismatch".into(),
        note: Some("11 groups, 10 keys".into()),
        action: "Validate".into(),
        secondary: None,
    };
    let reference = config.object_ref(&log_config_resource());
    recorder.publish(&event, &reference).await.unwrap();
    recorder.publish(&event, &reference).await.unwrap();
    let new: Api<Event> = Api::namespaced(client.clone(), "default");
    let listed = new.list(&ListParams::default().fields("regarding.name=a")).await;
    let listed = listed.unwrap().items;
    let [only] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(only.note.as_deref(), Some("11 groups, 10 keys"));
    assert_eq!(only.series.as_ref().map(|s| s.count), Some(2));
    let core: Api<CoreEvent> = Api::namespaced(client, "default");
    let fields =
        "involvedObject.name=a,involvedObject.kind=AliyunLogConfig,reason=RegexKeyMismatch,type=Warning";
    let listed = core.list(&ListParams::default().fields(fields)).await.unwrap().items;
    let [only] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(only.message.as_deref(), Some("11 groups, 10 keys"));
    assert_eq!(only.involved_object.uid, config.uid());
}

#[tokio::test]
async fn one_object_that_cannot_be_decoded_does_not_stop_the_others() {
    // Legacy objects hold nulls; the dynamic client must see them as they are.
    let (_server, client) = start().await;
    let api = with_probe_crd(&client).await;
    let mut legacy = log_config("legacy");
    legacy.data["spec"]["shardCount"] = json!(null);
    legacy.data["spec"]["machineGroups"] = json!(null);
    legacy.data["spec"]["project"] = json!("");
    let made = api.create(&PostParams::default(), &legacy).await.unwrap();
    assert_eq!(made.data["spec"].get("shardCount"), Some(&json!(null)));
    let labels: BTreeMap<String, String> = [("l".to_owned(), "v".to_owned())].into();
    let mut labelled = log_config("new");
    labelled.metadata.labels = Some(labels);
    api.create(&PostParams::default(), &labelled).await.unwrap();
    let both = api.list(&ListParams::default()).await.unwrap();
    assert_eq!(both.items.len(), 2);
    let _: ConfigMap = object(json!({"metadata": {}}));
}
