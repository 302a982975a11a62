use expect_test::expect;
use sls_api::NoQuery;
use sls_api::ops::InShard;
use sls_api::ops::logs::{PutByKeyQuery, PutLogsByKey};
use sls_api::ops::logstores::GetLogStore;
use sls_api::ops::shards::{DeleteShard, ListShards, MergeShards, Shard, SplitQuery, SplitShard};

use super::bed::{Bed, logstore};
use super::logs::{self, body, groups_of, texts};

/// Id, status and the first two digits of the keys.
fn shown(shards: &[Shard]) -> String {
    let line = |s: &Shard| {
        let keys = (&s.inclusive_begin_key[..2], &s.exclusive_end_key[..2]);
        format!("{} {:?} {} {}", s.shard_id, s.status, keys.0, keys.1)
    };
    shards.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn shard(shard: u32) -> InShard {
    InShard { logstore: logstore("ls").logstore, shard }
}

fn at_key(key: &str) -> SplitQuery {
    SplitQuery { key: Some(key.into()), shard_count: None }
}

async fn list(bed: &Bed) -> String {
    shown(&bed.send::<ListShards>(&logstore("ls"), &NoQuery {}, &()).await.unwrap().0)
}

#[tokio::test]
async fn shards_divide_the_key_space_evenly() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 4).await;
    let shards = bed.send::<ListShards>(&logstore("ls"), &NoQuery {}, &()).await.unwrap().0;
    let shown: Vec<String> = shards
        .iter()
        .map(|s| format!("{} {:?} {} {}", s.shard_id, s.status, s.inclusive_begin_key, s.exclusive_end_key))
        .collect();
    expect![[r#"
        0 Readwrite 00000000000000000000000000000000 40000000000000000000000000000000
        1 Readwrite 40000000000000000000000000000000 80000000000000000000000000000000
        2 Readwrite 80000000000000000000000000000000 c0000000000000000000000000000000
        3 Readwrite c0000000000000000000000000000000 ffffffffffffffffffffffffffffffff"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn a_split_answers_the_old_shard_and_the_new_ones() {
    let bed = Bed::with_logstore().await;
    let answer = bed.send::<SplitShard>(&shard(0), &at_key("2"), &()).await.unwrap().0;
    expect![[r#"
        0 Readonly 00 80
        2 Readwrite 00 20
        3 Readwrite 20 80"#]]
    .assert_eq(&shown(&answer));
    let evenly = SplitQuery { key: None, shard_count: Some(4) };
    let answer = bed.send::<SplitShard>(&shard(1), &evenly, &()).await.unwrap().0;
    expect![[r#"
        1 Readonly 80 ff
        4 Readwrite 80 a0
        5 Readwrite a0 c0
        6 Readwrite c0 e0
        7 Readwrite e0 ff"#]]
    .assert_eq(&shown(&answer));
    let known = bed.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap().0;
    assert_eq!(known.shard_count, 6, "those that can be written");
}

#[tokio::test]
async fn what_cannot_be_split_is_named() {
    let bed = Bed::with_logstore().await;
    let split = async |id, query: SplitQuery| bed.shown::<SplitShard>(&shard(id), &query, &()).await;
    expect!["400 ParameterInvalid: invalid mid hash: 80000000000000000000000000000000 is not between 00000000000000000000000000000000 and 80000000000000000000000000000000, the keys of shard 0"]
        .assert_eq(&split(0, at_key("8")).await);
    assert!(split(0, at_key("00")).await.starts_with("400 ParameterInvalid: invalid mid hash"));
    expect![[r#"400 ParameterInvalid: The parameter key must be 1 to 32 hex digits, not "no""#]]
        .assert_eq(&split(0, at_key("no")).await);
    expect!["400 ParameterInvalid: invalid shard id: shard 9 does not exist"]
        .assert_eq(&split(9, at_key("4")).await);
    let count = |shard_count| SplitQuery { key: None, shard_count: Some(shard_count) };
    expect!["400 ParameterInvalid: The parameter shardCount must be 2 or more"]
        .assert_eq(&split(0, count(1)).await);
    expect!["400 ParameterInvalid: a logstore can have 256 readwrite shards, this would make 257"]
        .assert_eq(&split(0, count(256)).await);
    expect!["400 ParameterInvalid: a logstore can have 256 readwrite shards, this would make 4294967295"]
        .assert_eq(&split(0, count(u32::MAX)).await);
    bed.send::<SplitShard>(&shard(0), &at_key("4"), &()).await.unwrap();
    expect!["400 ParameterInvalid: invalid shard id: shard 0 is readonly, only a readwrite shard can be split or merged"]
        .assert_eq(&split(0, at_key("4")).await);
}

#[tokio::test]
async fn a_merge_joins_with_the_right_neighbour() {
    let bed = Bed::with_logstore().await;
    expect!["400 ParameterInvalid: can not merge the last shard"]
        .assert_eq(&bed.shown::<MergeShards>(&shard(1), &NoQuery {}, &()).await);
    let answer = bed.send::<MergeShards>(&shard(0), &NoQuery {}, &()).await.unwrap().0;
    expect![[r#"
        0 Readonly 00 80
        1 Readonly 80 ff
        2 Readwrite 00 ff"#]]
    .assert_eq(&shown(&answer));
}

#[tokio::test]
async fn keys_go_to_the_new_shards_and_the_old_logs_stay() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 1).await;
    let put = async |key: &str, text: &str| {
        let query = PutByKeyQuery { key: key.into(), seqid: None };
        bed.send::<PutLogsByKey>(&logstore("ls"), &query, &body(text)).await.unwrap();
    };
    put("30", "before").await;
    bed.send::<SplitShard>(&shard(0), &at_key("4"), &()).await.unwrap();
    put("3f", "low").await;
    put("4", "high").await;
    put(&"f".repeat(32), "last").await;
    bed.send::<MergeShards>(&shard(1), &NoQuery {}, &()).await.unwrap();
    put("4", "joined").await;
    let texts_of = async |id| texts(&groups_of(&bed, id).await);
    assert_eq!(texts_of(0).await, ["before"]);
    assert_eq!(texts_of(1).await, ["low"]);
    assert_eq!(texts_of(2).await, ["high", "last"]);
    assert_eq!(texts_of(3).await, ["joined"]);
    logs::put(&bed, "any").await;
    assert_eq!(texts_of(3).await, ["joined", "any"], "without a key only a readwrite shard is written");
}

#[tokio::test]
async fn only_a_readonly_shard_can_be_deleted() {
    let bed = Bed::with_logstore().await;
    logs::put(&bed, "x").await;
    expect!["400 ParameterInvalid: invalid shard id: shard 0 is readwrite, only a readonly shard can be deleted; split or merge it first"]
        .assert_eq(&bed.shown::<DeleteShard>(&shard(0), &NoQuery {}, &()).await);
    expect!["400 ShardNotExist: shard 9 does not exist"]
        .assert_eq(&bed.shown::<DeleteShard>(&shard(9), &NoQuery {}, &()).await);
    bed.send::<SplitShard>(&shard(0), &at_key("4"), &()).await.unwrap();
    bed.send::<DeleteShard>(&shard(0), &NoQuery {}, &()).await.unwrap();
    expect![[r#"
        1 Readwrite 80 ff
        2 Readwrite 00 40
        3 Readwrite 40 80"#]]
    .assert_eq(&list(&bed).await);
}
