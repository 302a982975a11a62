//! Listing in pages and watching.

mod common;

use std::time::Duration;

use common::{PATIENCE, object, raw, refused, start, start_with};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, VersionMatch, WatchEvent, WatchParams,
};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use kube_sim::{Config, Effect, Fault};
use serde_json::json;

async fn make(client: &Client, name: &str, app: &str) -> ConfigMap {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let map: ConfigMap = object(json!({"metadata": {"name": name, "labels": {"app": app}}}));
    api.create(&PostParams::default(), &map).await.unwrap()
}

fn config_maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

/// The next event that is not a bookmark, in short.
async fn next(
    stream: &mut (impl futures::Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Unpin),
) -> String {
    loop {
        let event =
            tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event").expect("no end").unwrap();
        return match event {
            WatchEvent::Added(o) => format!("ADDED {}", o.name_any()),
            WatchEvent::Modified(o) => format!("MODIFIED {}", o.name_any()),
            WatchEvent::Deleted(o) => format!("DELETED {}", o.name_any()),
            WatchEvent::Error(e) => format!("ERROR {} {}", e.code, e.reason),
            WatchEvent::Bookmark(_) => continue,
        };
    }
}

#[tokio::test]
async fn a_watch_replays_from_a_version_and_then_follows() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    let start = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    make(&client, "a", "x").await;
    make(&client, "b", "x").await;
    let mut stream = api.watch(&WatchParams::default(), &start).await.unwrap().boxed();
    assert_eq!(next(&mut stream).await, "ADDED a");
    assert_eq!(next(&mut stream).await, "ADDED b");
    api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "v"}}))).await.unwrap();
    assert_eq!(next(&mut stream).await, "MODIFIED a");
    api.delete("b", &DeleteParams::default()).await.unwrap();
    assert_eq!(next(&mut stream).await, "DELETED b");
}

#[tokio::test]
async fn a_watch_from_zero_begins_with_what_is_there() {
    let (_server, client) = start().await;
    make(&client, "a", "x").await;
    let mut stream = config_maps(&client).watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert_eq!(next(&mut stream).await, "ADDED a");
}

#[tokio::test]
async fn entering_and_leaving_a_selection_looks_like_add_and_delete() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    make(&client, "a", "x").await;
    let mut stream = api.watch(&WatchParams::default().labels("app=y"), "0").await.unwrap().boxed();
    let relabel = |app: &'static str| {
        let api = api.clone();
        async move {
            let patch = Patch::Merge(json!({"metadata": {"labels": {"app": app}}}));
            api.patch("a", &PatchParams::default(), &patch).await.unwrap()
        }
    };
    relabel("y").await;
    assert_eq!(next(&mut stream).await, "ADDED a");
    let left = relabel("z").await;
    let gone = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
    let WatchEvent::Deleted(gone) = gone else { panic!("{gone:?}") };
    assert_eq!(gone.labels().get("app").map(String::as_str), Some("y"), "the last state that matched");
    assert_eq!(gone.resource_version(), left.resource_version());
}

#[tokio::test]
async fn other_namespaces_and_kinds_are_not_seen() {
    let (_server, client) = start().await;
    let mut stream = config_maps(&client).watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    elsewhere.create(&PostParams::default(), &object(json!({"metadata": {"name": "far"}}))).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    secrets.create(&PostParams::default(), &object(json!({"metadata": {"name": "s"}}))).await.unwrap();
    make(&client, "near", "x").await;
    assert_eq!(next(&mut stream).await, "ADDED near");
}

#[tokio::test]
async fn bookmarks_carry_the_version_even_when_others_move_it() {
    let (server, client) = start().await;
    let mut stream = config_maps(&client).watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    secrets.create(&PostParams::default(), &object(json!({"metadata": {"name": "s"}}))).await.unwrap();
    let wanted = server.resource_version().to_string();
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
        let WatchEvent::Bookmark(bookmark) = event else { panic!("{event:?}") };
        if bookmark.metadata.resource_version == wanted {
            break;
        }
    }
}

#[tokio::test]
async fn a_watch_ends_after_its_timeout_with_a_last_bookmark() {
    let config = Config { bookmark_interval: Duration::from_secs(3600), ..Config::default() };
    let (server, client) = start_with(config).await;
    let api = config_maps(&client);
    let start = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let stream = api.watch(&WatchParams::default().timeout(1), &start).await.unwrap().boxed();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    secrets.create(&PostParams::default(), &object(json!({"metadata": {"name": "s"}}))).await.unwrap();
    let events: Vec<WatchEvent<ConfigMap>> =
        tokio::time::timeout(PATIENCE, stream.try_collect()).await.expect("it ends").unwrap();
    let [WatchEvent::Bookmark(last)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(last.metadata.resource_version, server.resource_version().to_string());
}

#[tokio::test]
async fn initial_events_end_with_a_marked_bookmark() {
    let (_server, client) = start().await;
    make(&client, "a", "x").await;
    let params = WatchParams { send_initial_events: true, ..WatchParams::default() };
    let mut stream = config_maps(&client).watch(&params, "").await.unwrap().boxed();
    assert_eq!(next(&mut stream).await, "ADDED a");
    let event = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
    let WatchEvent::Bookmark(bookmark) = event else { panic!("{event:?}") };
    assert_eq!(
        bookmark.metadata.annotations.get("k8s.io/initial-events-end").map(String::as_str),
        Some("true")
    );
}

#[tokio::test]
async fn forgotten_history_is_gone_before_and_during_a_watch() {
    let (server, client) = start().await;
    let api = config_maps(&client);
    let old = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    make(&client, "a", "x").await;
    let mut open = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert_eq!(next(&mut open).await, "ADDED a");
    server.compact();
    assert_eq!(next(&mut open).await, "ERROR 410 Expired");
    let mut late = api.watch(&WatchParams::default(), &old).await.unwrap().boxed();
    assert_eq!(next(&mut late).await, "ERROR 410 Expired");
}

#[tokio::test]
async fn a_short_history_expires_watches_of_its_own_resource_only() {
    let (_server, client) = start_with(Config { history_max: 3, ..Config::default() }).await;
    let api = config_maps(&client);
    let old = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        make(&client, name, "x").await;
    }
    let mut late = api.watch(&WatchParams::default(), &old).await.unwrap().boxed();
    assert_eq!(next(&mut late).await, "ERROR 410 Expired");
    let path = format!("/api/v1/secrets?watch=true&timeoutSeconds=1&resourceVersion={old}");
    let (code, _, body) = raw(&client, "GET", &path, &[], Vec::new()).await;
    assert_eq!((code, &*body), (200, ""));
}

#[tokio::test]
async fn a_version_of_another_server_makes_clients_list_again() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    for version in ["1", "999999999999999"] {
        let mut stream = api.watch(&WatchParams::default(), version).await.unwrap().boxed();
        assert_eq!(next(&mut stream).await, "ERROR 410 Expired", "{version}");
    }
}

#[tokio::test]
async fn pages_show_one_consistent_state() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    for name in ["a", "b", "c", "d", "e"] {
        make(&client, name, "x").await;
    }
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    make(&client, "bb", "x").await;
    api.delete("d", &DeleteParams::default()).await.unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let rest = api.list(&ListParams::default().limit(10).continue_token(&token)).await.unwrap();
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    let names: Vec<String> = first.into_iter().chain(rest).map(|m| m.name_any()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn an_old_page_token_is_expired_and_a_forged_one_is_refused() {
    let (server, client) = start().await;
    let api = config_maps(&client);
    for name in ["a", "b"] {
        make(&client, name, "x").await;
    }
    let token = api.list(&ListParams::default().limit(1)).await.unwrap().metadata.continue_.unwrap();
    server.compact();
    let expired = refused(api.list(&ListParams::default().limit(1).continue_token(&token)).await);
    assert_eq!((expired.code, &*expired.reason), (410, "Expired"));
    assert_eq!(refused(api.list(&ListParams::default().continue_token("xyz")).await).code, 400);
}

#[tokio::test]
async fn an_exact_list_shows_the_past() {
    let (_server, client) = start().await;
    let api = config_maps(&client);
    make(&client, "a", "x").await;
    let then = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    make(&client, "b", "x").await;
    let past = api.list(&ListParams::default().at(&then).matching(VersionMatch::Exact)).await.unwrap();
    assert_eq!(past.items.len(), 1);
    let now = api.list(&ListParams::default().at(&then).matching(VersionMatch::NotOlderThan)).await.unwrap();
    assert_eq!(now.items.len(), 2);
}

#[tokio::test]
async fn lists_are_filtered_by_labels_and_fields() {
    let (_server, client) = start().await;
    for (name, app) in [("a", "x"), ("b", "y"), ("c", "y")] {
        make(&client, name, app).await;
    }
    let api = config_maps(&client);
    let names = |params: ListParams| {
        let api = api.clone();
        async move { api.list(&params).await.unwrap().into_iter().map(|m| m.name_any()).collect::<Vec<_>>() }
    };
    assert_eq!(names(ListParams::default().labels("app in (y)")).await, ["b", "c"]);
    assert_eq!(names(ListParams::default().fields("metadata.name=c")).await, ["c"]);
    assert_eq!(names(ListParams::default().labels("app=y").fields("metadata.name!=c")).await, ["b"]);
    assert_eq!(refused(api.list(&ListParams::default().labels("app in (")).await).code, 400);
    let unsupported = refused(api.list(&ListParams::default().fields("data.k=v")).await);
    assert!(
        unsupported.message.starts_with("\"data.k\" is not a known field selector"),
        "{}",
        unsupported.message
    );
}

#[tokio::test]
async fn the_watcher_of_kube_survives_compaction_and_cuts() {
    let (server, client) = start().await;
    make(&client, "a", "x").await;
    let mut stream = watcher(config_maps(&client), watcher::Config::default()).default_backoff().boxed();
    let mut seen = Vec::new();
    let mut restarts = 0;
    // One event per step: after the initial list the history is dropped, then
    // the connections are cut.
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event").expect("no end");
        match event {
            Ok(watcher::Event::Init) => restarts += 1,
            Ok(watcher::Event::InitDone) if restarts == 1 => {
                server.compact();
                make(&client, "b", "x").await;
            }
            Ok(watcher::Event::InitDone) if restarts == 2 => {
                server.cut_watches();
                make(&client, "c", "x").await;
            }
            Ok(watcher::Event::InitApply(o) | watcher::Event::Apply(o)) => {
                seen.push(o.name_any());
                if seen.last().map(String::as_str) == Some("c") {
                    break;
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
    assert_eq!(seen, ["a", "a", "b", "c"], "one relist after the compaction, none after the cut");
}

#[tokio::test]
async fn streaming_lists_of_kube_work() {
    let (_server, client) = start().await;
    make(&client, "a", "x").await;
    let config = watcher::Config::default().streaming_lists();
    let mut stream = watcher(config_maps(&client), config).default_backoff().applied_objects().boxed();
    let first = tokio::time::timeout(PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.name_any(), "a");
    make(&client, "b", "x").await;
    let second = tokio::time::timeout(PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(second.name_any(), "b");
}

#[tokio::test]
async fn metadata_can_be_listed_and_watched_alone() {
    let (_server, client) = start().await;
    make(&client, "a", "x").await;
    let api = config_maps(&client);
    let list = api.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
    assert_eq!(api.get_metadata("a").await.unwrap().name_any(), "a");
    let metadata: Api<kube::core::PartialObjectMeta<ConfigMap>> = Api::namespaced(client, "default");
    let mut stream = watcher(metadata, watcher::Config::default()).applied_objects().boxed();
    let first = tokio::time::timeout(PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.name_any(), "a");
}

#[tokio::test]
async fn injected_faults_hit_the_requests_they_name() {
    let (server, client) = start().await;
    let api = config_maps(&client);
    server.inject(Fault {
        method: Some(http::Method::POST),
        path_contains: "configmaps".into(),
        times: 1,
        effect: Effect::Fail { code: 500, retry_after_seconds: None },
    });
    api.list(&ListParams::default()).await.unwrap();
    let map: ConfigMap = object(json!({"metadata": {"name": "a"}}));
    assert_eq!(refused(api.create(&PostParams::default(), &map).await).code, 500);
    api.create(&PostParams::default(), &map).await.unwrap();
}

#[tokio::test]
async fn shutdown_ends_open_watches() {
    let (server, client) = start().await;
    let mut stream = config_maps(&client).watch(&WatchParams::default(), "0").await.unwrap().boxed();
    server.shutdown().await;
    while let Some(event) = tokio::time::timeout(PATIENCE, stream.next()).await.expect("the watch ends") {
        drop(event);
    }
}

#[tokio::test]
async fn a_server_that_was_down_comes_back_with_its_objects_and_watches_go_on() {
    let (mut server, client) = start().await;
    make(&client, "a", "x").await;
    let mut stream = watcher(config_maps(&client), watcher::Config::default()).default_backoff().boxed();
    let mut seen = Vec::new();
    let mut relists = 0;
    while seen.len() < 2 {
        match tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event").expect("no end") {
            Ok(watcher::Event::Init) => relists += 1,
            Ok(watcher::Event::InitApply(o) | watcher::Event::Apply(o)) => seen.push(o.name_any()),
            Ok(watcher::Event::InitDone) => {
                server.stop().await;
                server.resume().await.unwrap();
                make(&common::client(&server).await, "b", "x").await;
            }
            Ok(watcher::Event::Delete(_)) | Err(_) => {}
        }
    }
    assert_eq!(
        (seen, relists),
        (vec!["a".to_owned(), "b".to_owned()], 1),
        "it resumes without listing again"
    );
}
