use expect_test::expect;
use jiff::{SignedDuration, Timestamp};
use mock_sls::clock::Clock;
use mock_sls::{Auth, Config};
use sls_api::ops::consumer_groups::{
    CheckPointQuery, ConsumerGroupChange, ConsumerGroupHeartBeat, ConsumerGroupUpdateCheckPoint,
    CreateConsumerGroup, DeleteConsumerGroup, GetCheckPoint, HeartBeatQuery, HeldShards, ListConsumerGroup,
    NewCheckPoint, NewConsumerGroup, UpdateCheckPointQuery, UpdateConsumerGroup,
};
use sls_api::ops::cursors::{CursorQuery, GetCursor, encode_cursor};
use sls_api::ops::logstores::DeleteLogStore;
use sls_api::ops::shards::{DeleteShard, SplitQuery, SplitShard};
use sls_api::ops::{InConsumerGroup, InShard};
use sls_api::{Json, NoQuery};

use super::bed::{Bed, logstore};
use super::logs;

/// Seconds without a heartbeat that the groups of these tests allow.
const TIMEOUT_S: i64 = 60;

/// A Logstore of four shards with the consumer group `cg`, on a clock that stands.
struct Group {
    bed: Bed,
    clock: Clock,
}

impl Group {
    async fn start(order: bool) -> Self {
        let clock = Clock::manual(Timestamp::now());
        let bed = Bed::bare(Config { clock: clock.clone(), auth: Auth::Off, ..Config::default() }).await;
        bed.create_project().await;
        bed.create_logstore("ls", 4).await;
        let group = Self { bed, clock };
        assert_eq!(group.create("cg", order).await, "ok ()");
        group
    }

    async fn create(&self, name: &str, order: bool) -> String {
        let group = NewConsumerGroup { consumer_group: name.parse().unwrap(), timeout: TIMEOUT_S, order };
        self.bed.shown::<CreateConsumerGroup>(&logstore("ls"), &NoQuery {}, &Json(group)).await
    }

    fn path(&self, name: &str) -> InConsumerGroup {
        InConsumerGroup { logstore: logstore("ls").logstore, consumer_group: name.parse().unwrap() }
    }

    async fn beat(&self, consumer: &str, held: &[u32]) -> String {
        let query = HeartBeatQuery { consumer: consumer.into() };
        let held = Json(HeldShards(held.to_vec()));
        match self.bed.send::<ConsumerGroupHeartBeat>(&self.path("cg"), &query, &held).await {
            Ok(Json(shards)) => format!("{shards:?}"),
            error => super::bed::shown(error),
        }
    }

    async fn save(&self, consumer: &str, force: bool, shard: u32, checkpoint: &str) -> String {
        let query = UpdateCheckPointQuery { consumer: Some(consumer.into()), force_success: Some(force) };
        let body = Json(NewCheckPoint { shard, checkpoint: checkpoint.into() });
        self.bed.shown::<ConsumerGroupUpdateCheckPoint>(&self.path("cg"), &query, &body).await
    }

    async fn checkpoints(&self, shard: Option<u32>) -> Vec<(u32, String, String)> {
        let query = CheckPointQuery { shard };
        let found = self.bed.send::<GetCheckPoint>(&self.path("cg"), &query, &()).await.unwrap().0;
        found.into_iter().map(|c| (c.shard, c.checkpoint, c.consumer)).collect()
    }

    async fn end_of(&self, shard: u32) -> String {
        let path = InShard { logstore: logstore("ls").logstore, shard };
        self.bed.send::<GetCursor>(&path, &CursorQuery { from: "end".into() }, &()).await.unwrap().0.cursor
    }

    async fn split(&self, shard: u32) {
        let path = InShard { logstore: logstore("ls").logstore, shard };
        let evenly = SplitQuery { key: None, shard_count: Some(2) };
        self.bed.send::<SplitShard>(&path, &evenly, &()).await.unwrap();
    }

    fn wait(&self, seconds: i64) {
        self.clock.set(self.clock.now() + SignedDuration::from_secs(seconds));
    }
}

#[tokio::test]
async fn groups_are_made_changed_listed_and_deleted() {
    let group = Group::start(false).await;
    expect!["400 ConsumerGroupAlreadyExist: consumer group cg already exists"]
        .assert_eq(&group.create("cg", false).await);
    group.create("another", true).await;
    let change = ConsumerGroupChange { order: Some(true), timeout: None };
    group.bed.send::<UpdateConsumerGroup>(&group.path("cg"), &NoQuery {}, &Json(change)).await.unwrap();
    let list = async || {
        let all = group.bed.send::<ListConsumerGroup>(&logstore("ls"), &NoQuery {}, &()).await.unwrap().0;
        all.iter().map(|g| format!("{} {} {}", g.name, g.timeout, g.order)).collect::<Vec<_>>()
    };
    assert_eq!(list().await, ["another 60 true", "cg 60 true"]);
    group.bed.send::<DeleteConsumerGroup>(&group.path("cg"), &NoQuery {}, &()).await.unwrap();
    assert_eq!(list().await, ["another 60 true"]);
    let missing = "404 ConsumerGroupNotExist: consumer group cg does not exist";
    assert_eq!(group.bed.shown::<DeleteConsumerGroup>(&group.path("cg"), &NoQuery {}, &()).await, missing);
    let changed = group.bed.shown::<UpdateConsumerGroup>(&group.path("cg"), &NoQuery {}, &Json(change)).await;
    assert_eq!(changed, missing);
    assert_eq!(group.beat("a", &[]).await, missing);
    assert_eq!(group.save("a", true, 0, &encode_cursor(1)).await, missing);
}

#[tokio::test]
async fn a_group_needs_a_timeout_and_a_logstore_has_room_for_thirty() {
    let group = Group::start(false).await;
    let no_timeout = NewConsumerGroup { consumer_group: "x".parse().unwrap(), timeout: 0, order: false };
    let refused =
        group.bed.shown::<CreateConsumerGroup>(&logstore("ls"), &NoQuery {}, &Json(no_timeout)).await;
    expect!["400 JsonInfoInvalid: timeout must be 1 to 86400, not 0"].assert_eq(&refused);
    for n in 1..30 {
        assert_eq!(group.create(&format!("cg{n}"), false).await, "ok ()");
    }
    expect!["400 ConsumerGroupQuotaExceed: a logstore can have 30 consumer groups: delete one first"]
        .assert_eq(&group.create("cg30", false).await);
    group.bed.send::<DeleteLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
    group.bed.create_logstore("ls", 1).await;
    assert_eq!(group.create("cg", false).await, "ok ()", "groups go with their logstore");
}

#[tokio::test]
async fn a_newcomer_gets_shards_when_their_reader_has_let_them_go() {
    let group = Group::start(false).await;
    assert_eq!(group.beat("a", &[]).await, "[0, 1, 2, 3]");
    assert_eq!(group.beat("b", &[]).await, "[]", "a still reads");
    assert_eq!(group.beat("a", &[0, 1, 2, 3]).await, "[0, 1]");
    assert_eq!(group.beat("b", &[]).await, "[]", "a did not say that it stopped");
    assert_eq!(group.beat("a", &[0, 1]).await, "[0, 1]");
    assert_eq!(group.beat("b", &[]).await, "[2, 3]");
    assert_eq!(group.beat("b", &[2, 3]).await, "[2, 3]");
}

#[tokio::test]
async fn the_shards_of_a_silent_consumer_go_to_the_others() {
    let group = Group::start(false).await;
    group.beat("a", &[]).await;
    group.beat("b", &[]).await;
    group.beat("a", &[0, 1]).await;
    group.beat("b", &[]).await;
    group.wait(TIMEOUT_S);
    assert_eq!(group.beat("b", &[2, 3]).await, "[2, 3]", "not a moment too early");
    group.wait(1);
    assert_eq!(group.beat("b", &[2, 3]).await, "[0, 1, 2, 3]");
    expect!["400 NotExistConsumerWithBody: consumer a is not in the group, or was silent for too long: send a heartbeat without shards"]
        .assert_eq(&group.beat("a", &[0, 1]).await);
    assert_eq!(group.beat("a", &[]).await, "[]");
    assert_eq!(group.beat("b", &[0, 1, 2, 3]).await, "[0, 1]");
}

#[tokio::test]
async fn only_the_holder_of_a_shard_saves_its_checkpoint_unless_forced() {
    let group = Group::start(false).await;
    let cursor = encode_cursor(1_700_000_000_000_000_000);
    expect!["404 ConsumerNotExist: consumer a does not exist"]
        .assert_eq(&group.save("a", false, 0, &cursor).await);
    group.beat("a", &[]).await;
    assert_eq!(group.save("a", false, 0, &cursor).await, "ok ()");
    group.beat("b", &[]).await;
    expect!["404 ConsumerNotMatch: consumer b does not hold shard 0"]
        .assert_eq(&group.save("b", false, 0, &cursor).await);
    assert_eq!(group.save("b", true, 1, &cursor).await, "ok ()");
    expect!["404 ShardNotExist: shard 9 does not exist"].assert_eq(&group.save("a", true, 9, &cursor).await);
    expect![[r#"400 InvalidShardCheckPoint: the checkpoint "begin" is not a cursor"#]]
        .assert_eq(&group.save("a", true, 0, "begin").await);
    let saved = |shard, who: &str| (shard, cursor.clone(), who.to_owned());
    let none = |shard| (shard, String::new(), String::new());
    assert_eq!(group.checkpoints(None).await, [saved(0, "a"), saved(1, "b"), none(2), none(3)]);
    assert_eq!(group.checkpoints(Some(1)).await, [saved(1, "b")]);
    group.wait(TIMEOUT_S + 1);
    assert!(group.save("a", false, 0, &cursor).await.starts_with("404 ConsumerNotExist"), "a is dead");
}

#[tokio::test]
async fn in_order_the_new_shards_wait_until_the_old_one_is_read() {
    let group = Group::start(true).await;
    for n in 0..4 {
        logs::put(&group.bed, &n.to_string()).await;
    }
    group.beat("a", &[]).await;
    group.split(0).await;
    assert_eq!(group.beat("a", &[0, 1, 2, 3]).await, "[0, 1, 2, 3]");
    let end = group.end_of(0).await;
    group.save("a", false, 0, &end).await;
    assert_eq!(group.beat("a", &[0, 1, 2, 3]).await, "[1, 2, 3, 4, 5]", "the old one is done");
}

#[tokio::test]
async fn without_order_the_new_shards_are_read_at_once_and_the_old_one_until_its_end() {
    let group = Group::start(false).await;
    for n in 0..4 {
        logs::put(&group.bed, &n.to_string()).await;
    }
    group.beat("a", &[]).await;
    group.split(0).await;
    assert_eq!(group.beat("a", &[0, 1, 2, 3]).await, "[0, 1, 2, 3, 4, 5]");
    let end = group.end_of(0).await;
    group.save("a", false, 0, &end).await;
    assert_eq!(group.beat("a", &[0, 1, 2, 3, 4, 5]).await, "[1, 2, 3, 4, 5]");
}

#[tokio::test]
async fn a_deleted_shard_is_read_no_more_and_its_checkpoint_is_gone() {
    let group = Group::start(false).await;
    group.beat("a", &[]).await;
    group.save("a", false, 0, &encode_cursor(1)).await;
    group.split(0).await;
    let path = InShard { logstore: logstore("ls").logstore, shard: 0 };
    group.bed.send::<DeleteShard>(&path, &NoQuery {}, &()).await.unwrap();
    assert_eq!(group.beat("a", &[0, 1, 2, 3]).await, "[1, 2, 3, 4, 5]");
    let left: Vec<u32> = group.checkpoints(None).await.into_iter().map(|(shard, ..)| shard).collect();
    assert_eq!(left, [1, 2, 3, 4, 5]);
}
