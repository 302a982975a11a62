//! Projects, Logstores, shards, consumer groups and machine groups.

use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::ops::InLogstore;
use sls_api::ops::consumer_groups::{
    ConsumerGroupHeartBeat, ConsumerGroupUpdateCheckPoint, HeartBeatQuery, HeldShards, ListConsumerGroup,
    NewCheckPoint, UpdateCheckPointQuery,
};
use sls_api::ops::cursors::{CursorQuery, GetCursor};
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_api::ops::logstores::GetLogStore;
use sls_api::ops::machine_groups::{GetMachineGroup, MachineIdentifyType};
use sls_api::ops::projects::GetProject;
use sls_api::ops::shards::{ListShards, ShardStatus};
use sls_api::ops::{InConsumerGroup, InMachineGroup, InShard};
use sls_api::{Json, NoPath, NoQuery, codec::Compression};

use super::visitor::Visitor;

const LOGSTORE: &str = "/projects/demo/logstores/nginx-access";

fn logstore() -> InLogstore {
    InLogstore { logstore: "nginx-access".parse().unwrap() }
}

async fn with_logstore() -> Visitor {
    let visitor = Visitor::start().await;
    let new = [("logstore", "nginx-access"), ("ttl", "7"), ("shards", "2")];
    visitor.done("/projects/demo/logstores", &new).await;
    visitor
}

/// Writes so many logs at once.
pub async fn write(visitor: &Visitor, logs: usize, fields: &[(&str, &str)]) {
    let contents: Vec<Content> =
        fields.iter().map(|(key, value)| Content::new((*key).to_owned(), (*value).to_owned())).collect();
    let time = u32::try_from(jiff::Timestamp::now().as_second()).unwrap();
    let logs = (0..logs).map(|_| Log { time, contents: contents.clone(), time_ns: None }).collect();
    let body =
        CompressedLogs::from_group(&LogGroup { logs, ..LogGroup::default() }, Compression::Lz4).unwrap();
    visitor.ask::<PutLogs>(logstore(), NoQuery {}, body).await;
}

#[tokio::test]
async fn a_project_tells_what_it_holds_and_takes_another_description() {
    let visitor = with_logstore().await;
    visitor.page("/projects/demo").await.has(&[
        "of tests",
        "1 Logstores",
        "0 machine groups",
        "nginx-access",
    ]);
    let to =
        visitor.done("/projects/demo/description", &[("description", "<script>alert(1)</script>")]).await;
    visitor.page(&to).await.has(&["&lt;script&gt;alert(1)"]).lacks(&["<script>alert"]);
    let Json(project) = visitor.ask::<GetProject>(NoPath {}, NoQuery {}, ()).await;
    assert_eq!(project.description, "<script>alert(1)</script>");
}

#[tokio::test]
async fn settings_of_a_logstore_are_changed_and_the_others_stay() {
    let visitor = with_logstore().await;
    let settings = format!("{LOGSTORE}/settings");
    visitor
        .page(&settings)
        .await
        .has(&["name=\"ttl\" type=\"number\" value=\"7\"", "Nothing was written yet"]);
    let form = [
        ("ttl", "3650"),
        ("append-meta", "true"),
        ("tracking", "true"),
        ("max-split", ""),
        ("mode", "query"),
    ];
    visitor.done(&settings, &form).await;
    let Json(now) = visitor.ask::<GetLogStore>(logstore(), NoQuery {}, ()).await;
    assert_eq!((now.ttl, now.append_meta, now.enable_tracking, now.auto_split), (3650, true, true, false));
    assert_eq!((now.mode.as_str(), now.max_split_shard, now.shard_count), ("query", 64, 2));
    for bad in [("ttl", "x"), ("ttl", "0"), ("max-split", "100000")] {
        let refused = visitor.post(&settings, &[bad]).await;
        assert_eq!(refused.status, 400, "{bad:?}: {}", refused.text);
    }
    assert_eq!(visitor.get("/projects/demo/logstores/none/settings").await.status, 404);
}

#[tokio::test]
async fn what_is_stored_and_comes_in_is_told_until_it_is_cleared() {
    let visitor = with_logstore().await;
    write(&visitor, 1200, &[("status", "200")]).await;
    write(&visitor, 34, &[("status", "500")]).await;
    let settings = format!("{LOGSTORE}/settings");
    visitor.page(&settings).await.has(&["1,234 logs", "20.6 logs/s", "Last written"]);
    visitor.page("/projects/demo").await.has(&["1,234"]);
    visitor.done(&format!("{LOGSTORE}/clear"), &[]).await;
    visitor.page(&settings).await.has(&["Nothing was written yet"]).lacks(&["1,234"]);
}

#[tokio::test]
async fn shards_are_split_and_merged() {
    let visitor = with_logstore().await;
    let page = format!("{LOGSTORE}/shards");
    visitor.page(&page).await.has(&["readwrite", "00000000000000000000000000000000", "Merge with 1"]);
    visitor.done(&format!("{page}/0/split"), &[("parts", "3"), ("key", "")]).await;
    visitor.page(&page).await.has(&["readonly", "4 shards can be written", "Merge with 3"]);
    visitor.done(&format!("{page}/2/merge"), &[]).await;
    visitor
        .done(&format!("{page}/1/split"), &[("parts", "2"), ("key", "c0000000000000000000000000000000")])
        .await;
    let Json(shards) = visitor.ask::<ListShards>(logstore(), NoQuery {}, ()).await;
    let writable = |status| shards.iter().filter(|shard| shard.status == status).count();
    assert_eq!((writable(ShardStatus::Readwrite), writable(ShardStatus::Readonly)), (4, 4));
    visitor.done(&format!("{page}/0/delete"), &[]).await;
    for (path, fields) in [
        ("0/split", &[("parts", "2")][..]),
        ("4/split", &[("parts", "1")]),
        ("4/split", &[("parts", "x")]),
        ("4/split", &[("key", "no key")]),
        ("99/merge", &[]),
        ("4/delete", &[]),
    ] {
        let refused = visitor.post(&format!("{page}/{path}"), fields).await;
        assert!((400..500).contains(&refused.status), "{path} {fields:?}: {}", refused.status);
    }
}

#[tokio::test]
async fn consumer_groups_show_who_reads_and_how_much_is_left() {
    let visitor = with_logstore().await;
    let page = format!("{LOGSTORE}/consumer-groups");
    visitor.done(&page, &[("name", "readers"), ("timeout", "30"), ("order", "true")]).await;
    visitor.page(&page).await.has(&["readers", "none stored", "up to date", "None has sent a heartbeat"]);
    let in_group =
        || InConsumerGroup { consumer_group: "readers".parse().unwrap(), logstore: logstore().logstore };
    write(&visitor, 5, &[("a", "b")]).await;
    write(&visitor, 5, &[("a", "b")]).await;
    let beat = HeartBeatQuery { consumer: "reader-1".to_owned() };
    let Json(held) =
        visitor.ask::<ConsumerGroupHeartBeat>(in_group(), beat, Json(HeldShards::default())).await;
    assert_eq!(held, [0, 1]);
    visitor.page(&page).await.has(&["10 logs behind", "reader-1", "alive"]);
    for shard in held {
        let path = InShard { logstore: logstore().logstore, shard };
        let end = CursorQuery { from: "end".to_owned() };
        let Json(cursor) = visitor.ask::<GetCursor>(path, end, ()).await;
        let point = Json(NewCheckPoint { shard, checkpoint: cursor.cursor });
        let query = UpdateCheckPointQuery { consumer: Some("reader-1".to_owned()), force_success: None };
        visitor.ask::<ConsumerGroupUpdateCheckPoint>(in_group(), query, point).await;
    }
    visitor.page(&page).await.has(&["up to date"]).lacks(&["none stored"]);
    visitor.done(&format!("{page}/readers"), &[("timeout", "99")]).await;
    let Json(groups) = visitor.ask::<ListConsumerGroup>(logstore(), NoQuery {}, ()).await;
    assert_eq!((groups[0].timeout, groups[0].order), (99, false));
    visitor.done(&format!("{page}/readers/delete"), &[]).await;
    visitor.page(&page).await.has(&["No consumer group here"]);
    assert_eq!(visitor.post(&page, &[("name", "x"), ("timeout", "0")]).await.status, 400);
}

#[tokio::test]
async fn machine_groups_are_made_changed_and_deleted() {
    let visitor = Visitor::start().await;
    let list = "/projects/demo/machine-groups";
    let form = [
        ("group", "sidecars"),
        ("identified", "userdefined"),
        ("machines", "nginx-log-sidecar\r\nother"),
        ("topic", "t"),
    ];
    let one = visitor.done(list, &form).await;
    visitor.page(&one).await.has(&["nginx-log-sidecar", "No agent with it has shown itself"]);
    visitor.page(list).await.has(&["user-defined ids: nginx-log-sidecar, other", "none has come"]);
    visitor.done(&one, &[("identified", "ip"), ("machines", "10.0.0.1, 10.0.0.2"), ("topic", "")]).await;
    let in_group = InMachineGroup { group: "sidecars".parse().unwrap() };
    let Json(group) = visitor.ask::<GetMachineGroup>(in_group, NoQuery {}, ()).await;
    assert_eq!(group.machine_identify_type, MachineIdentifyType::Ip);
    assert_eq!(group.machine_list, ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(group.group_attribute.group_topic, "");
    visitor.done(&format!("{one}/delete"), &[]).await;
    visitor.page(list).await.has(&["No machine group here"]);
    assert_eq!(visitor.post(list, &[("group", "!"), ("machines", "a")]).await.status, 400);
    assert_eq!(visitor.get(&one).await.status, 404);
}
