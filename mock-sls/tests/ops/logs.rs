use bytes::Bytes;
use expect_test::expect;
use mock_sls::{Auth, Config};
use prost::Message;
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup, LogTag, SlsLogPackage, SlsLogPackageList};
use sls_api::ops::cursors::{GetCursor, PullLogs, PullQuery};
use sls_api::ops::indexes::{CreateIndex, Index, IndexLine};
use sls_api::ops::logs::{
    CompressedLogs, GetLogs, GetLogsRequest, PutByKeyQuery, PutLogs, PutLogsByKey, PutLogsToLogstore,
};
use sls_api::ops::logstores::{ClearLogStoreStorage, CreateLogStore, DeleteLogStore, LogstoreSettings};
use sls_api::ops::{InShard, cursors::CursorQuery};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::{Bed, logstore};
use super::raw;

/// Unpacked size of an answer that these tests accept, bytes.
const PULL_BYTES_MAX: usize = 64 << 20;

pub fn group(text: &str) -> LogGroup {
    LogGroup {
        logs: vec![Log {
            time: 1_700_000_000,
            contents: vec![Content::new("content", text.to_owned())],
            time_ns: None,
        }],
        topic: Some("topic".into()),
        source: Some("10.0.0.9".into()),
        ..LogGroup::default()
    }
}

pub fn body(text: &str) -> CompressedLogs {
    CompressedLogs::from_group(&group(text), Compression::Lz4).unwrap()
}

pub async fn put(bed: &Bed, text: &str) {
    bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &body(text)).await.unwrap();
}

/// Every group of a shard, oldest first.
pub async fn groups_of(bed: &Bed, shard: u32) -> Vec<LogGroup> {
    let path = InShard { logstore: logstore("ls").logstore, shard };
    let from = CursorQuery { from: "begin".into() };
    let cursor = bed.send::<GetCursor>(&path, &from, &()).await.unwrap().0.cursor;
    let query = PullQuery { cursor, count: Some(1000), end_cursor: None, query: None };
    let pulled = bed.send::<PullLogs>(&path, &query, &()).await.unwrap();
    pulled.groups(PULL_BYTES_MAX).unwrap().log_groups
}

pub fn texts(groups: &[LogGroup]) -> Vec<String> {
    let logs = groups.iter().flat_map(|group| &group.logs);
    logs.flat_map(|log| &log.contents).map(|c| String::from_utf8_lossy(&c.value).into_owned()).collect()
}

async fn texts_of_both_shards(bed: &Bed) -> Vec<String> {
    let mut all = texts(&groups_of(bed, 0).await);
    all.extend(texts(&groups_of(bed, 1).await));
    all.sort();
    all
}

#[tokio::test]
async fn logs_arrive_in_every_form_and_compression() {
    let bed = Bed::with_logstore().await;
    let mut sent = Vec::new();
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd, Compression::Deflate] {
        for form in ["lb", "route", "logstore"] {
            let text = format!("{compression} {form}");
            let body = CompressedLogs::from_group(&group(&text), compression).unwrap();
            let path = logstore("ls");
            let key = PutByKeyQuery { key: "ab".into(), seqid: None };
            match form {
                "lb" => bed.send::<PutLogs>(&path, &NoQuery {}, &body).await,
                "route" => bed.send::<PutLogsByKey>(&path, &key, &body).await,
                _ => bed.send::<PutLogsToLogstore>(&path, &NoQuery {}, &body).await,
            }
            .unwrap();
            sent.push(text);
        }
    }
    sent.sort();
    assert_eq!(texts_of_both_shards(&bed).await, sent);
}

#[tokio::test]
async fn a_group_is_stored_whole() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 1).await;
    let sent = LogGroup {
        logs: vec![Log {
            time: 1,
            contents: vec![Content::new("bytes", Bytes::from_static(b"\xff\x00"))],
            time_ns: Some(5),
        }],
        topic: Some("t".into()),
        source: Some("s".into()),
        machine_uuid: Some("m".into()),
        log_tags: vec![LogTag { key: "__hostname__".into(), value: "h".into() }],
        category: None,
    };
    let body = CompressedLogs::from_group(&sent, Compression::Zstd).unwrap();
    bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await.unwrap();
    assert_eq!(groups_of(&bed, 0).await, [sent]);
}

#[tokio::test]
async fn a_batch_of_groups_is_stored_group_by_group() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 1).await;
    let package = |text: &str, compression, kind| {
        let packed = CompressedLogs::from_group(&group(text), compression).unwrap();
        SlsLogPackage {
            uncompress_size: i32::try_from(packed.raw_size).ok(),
            data: packed.bytes,
            compress_type: kind,
        }
    };
    // 3 is zstd; an absent kind means LZ4.
    let packages = vec![package("a", Compression::Lz4, None), package("b", Compression::Zstd, Some(3))];
    let bytes: Bytes = SlsLogPackageList { packages }.encode_to_vec().into();
    let body = CompressedLogs {
        raw_size: bytes.len(),
        bytes,
        compression: Compression::Lz4,
        batch: true,
        json: false,
    };
    bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await.unwrap();
    assert_eq!(texts(&groups_of(&bed, 0).await), ["a", "b"]);
}

#[tokio::test]
async fn json_is_accepted_where_the_java_sdk_sends_it() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 1).await;
    let text =
        r#"{"__topic__":"t","__source__":"s","__logs__":[{"k":"v","__time__":"7"}],"__tags__":{"a":"b"}}"#;
    let body = CompressedLogs {
        bytes: Bytes::from_static(text.as_bytes()),
        raw_size: text.len(),
        compression: Compression::None,
        batch: false,
        json: true,
    };
    bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await.unwrap();
    let groups = groups_of(&bed, 0).await;
    assert_eq!((groups[0].topic.as_deref(), groups[0].logs[0].time), (Some("t"), 7));
    assert_eq!(groups[0].log_tags, [LogTag { key: "a".into(), value: "b".into() }]);
}

#[tokio::test]
async fn a_hash_key_goes_to_the_shard_that_owns_it() {
    let bed = Bed::with_logstore().await;
    for (key, text) in [("0", "low"), ("7FFF", "below half"), ("8", "half"), (&"f".repeat(32), "last")] {
        let query = PutByKeyQuery { key: key.into(), seqid: None };
        bed.send::<PutLogsByKey>(&logstore("ls"), &query, &body(text)).await.unwrap();
    }
    assert_eq!(texts(&groups_of(&bed, 0).await), ["low", "below half"]);
    assert_eq!(texts(&groups_of(&bed, 1).await), ["half", "last"]);
    let bad = PutByKeyQuery { key: "no hex".into(), seqid: None };
    expect![[r#"400 ParameterInvalid: The parameter key must be 1 to 32 hex digits, not "no hex""#]]
        .assert_eq(&bed.shown::<PutLogsByKey>(&logstore("ls"), &bad, &body("x")).await);
}

#[tokio::test]
async fn a_sequence_number_must_grow_for_each_key_and_logstore() {
    let bed = Bed::with_logstore().await;
    bed.create_logstore("other", 1).await;
    let put = async |name: &str, key: &str, seqid| {
        let query = PutByKeyQuery { key: key.into(), seqid: Some(seqid) };
        bed.shown::<PutLogsByKey>(&logstore(name), &query, &body("x")).await
    };
    assert_eq!(put("ls", "A1", 5).await, "ok ()");
    expect!["400 InvalidSequenceId: sequence id 5 of key a1000000000000000000000000000000 is not larger than 5, the last one"]
        .assert_eq(&put("ls", "a1", 5).await);
    assert!(put("ls", "a10", 4).await.starts_with("400 InvalidSequenceId"), "the same key, written longer");
    assert_eq!(put("ls", "a2", 1).await, "ok ()");
    assert_eq!(put("other", "a1", 1).await, "ok ()");
    assert_eq!(put("ls", "a1", 9).await, "ok ()");
    assert_eq!(groups_of(&bed, 1).await.len(), 3, "what was refused is not stored");
}

#[tokio::test]
async fn a_refused_body_does_not_use_up_its_sequence_number() {
    let bed = Bed::with_logstore().await;
    let query = PutByKeyQuery { key: "a1".into(), seqid: Some(1) };
    let mut bad = group("x");
    bad.logs[0].time_ns = Some(1_000_000_000);
    let bad = CompressedLogs::from_group(&bad, Compression::Lz4).unwrap();
    expect!["400 InvalidTimestamp: Time_ns of a log must be 0 to 999999999 nanoseconds, not 1000000000"]
        .assert_eq(&bed.shown::<PutLogsByKey>(&logstore("ls"), &query, &bad).await);
    assert_eq!(bed.shown::<PutLogsByKey>(&logstore("ls"), &query, &body("x")).await, "ok ()");
}

#[tokio::test]
async fn writes_without_a_key_are_spread_over_the_shards() {
    let bed = Bed::with_logstore().await;
    for n in 0..10 {
        put(&bed, &n.to_string()).await;
    }
    assert_eq!((groups_of(&bed, 0).await.len(), groups_of(&bed, 1).await.len()), (5, 5));
}

#[tokio::test]
async fn an_empty_group_is_accepted_and_leaves_nothing() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 1).await;
    let empty = LogGroup { source: Some("s".into()), ..LogGroup::default() };
    let body = CompressedLogs::from_group(&empty, Compression::Lz4).unwrap();
    bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await.unwrap();
    let nothing = CompressedLogs::pack(b"", Compression::None).unwrap();
    bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &nothing).await.unwrap();
    assert_eq!(groups_of(&bed, 0).await, []);
}

#[tokio::test]
async fn the_server_adds_its_tags_where_the_logstore_wants_them() {
    let bed = Bed::start().await;
    let settings =
        LogstoreSettings { append_meta: Some(true), ..LogstoreSettings::new(logstore("ls").logstore, 1, 1) };
    bed.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(settings)).await.unwrap();
    put(&bed, "x").await;
    let tags = &groups_of(&bed, 0).await[0].log_tags;
    assert_eq!((tags[0].key.as_str(), tags[0].value.as_str()), ("__client_ip__", "127.0.0.1"));
    assert_eq!(tags[1].key, "__receive_time__");
    assert!(tags[1].value.parse::<i64>().unwrap() > 1_700_000_000);
}

#[tokio::test]
async fn what_is_not_a_log_body_is_refused_with_the_reason() {
    let bed = Bed::with_logstore().await;
    let put = async |bytes: &'static [u8], raw_size, compression| {
        let bytes = Bytes::from_static(bytes);
        let body = CompressedLogs { bytes, raw_size, compression, batch: false, json: false };
        let shown = bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await;
        shown.split(": ").next().unwrap_or_default().to_owned()
    };
    expect!["400 PostBodyInvalid"].assert_eq(&put(b"\xff\xff", 2, Compression::None).await);
    expect!["400 PostBodyUncompressError"].assert_eq(&put(b"\xff\xff", 9, Compression::Lz4).await);
    expect!["400 PostBodyUncompressError"].assert_eq(&put(b"garbage", 9, Compression::Zstd).await);
    expect!["413 PostBodyTooLarge"].assert_eq(&put(b"x", 10_485_761, Compression::Lz4).await);
}

#[tokio::test]
async fn field_names_have_a_length() {
    let bed = Bed::with_logstore().await;
    let put = async |key: &str| {
        let mut group = group("x");
        group.logs[0].contents[0].key = key.to_owned();
        let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
        bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await
    };
    expect!["ok ()"].assert_eq(&put("字段-1.a:b").await);
    expect![[r#"400 InvalidKey: The key of a log field must have 1 to 128 bytes: """#]]
        .assert_eq(&put("").await);
    assert!(put(&"k".repeat(129)).await.starts_with("400 InvalidKey"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let bed = Bed::bare(Config { auth: Auth::Off, ..Config::default() }).await;
    let request = http::Request::post("/logstores/ls/shards/lb")
        .header("host", "proj-a.localhost")
        .body(vec![0; 10_485_761])
        .unwrap();
    let answer = raw::send(bed.server.addr(), request).await;
    assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (413, "PostBodyTooLarge"));
}

#[tokio::test]
async fn writing_to_a_logstore_that_is_not_there_is_an_error() {
    let bed = Bed::with_logstore().await;
    bed.send::<DeleteLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
    let got = bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body("x")).await;
    expect!["404 LogStoreNotExist: logstore ls does not exist"].assert_eq(&got);
}

#[tokio::test]
async fn a_logstore_made_again_under_its_name_is_empty() {
    let bed = Bed::with_logstore().await;
    put(&bed, "old").await;
    bed.send::<DeleteLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
    bed.create_logstore("ls", 2).await;
    assert!(texts_of_both_shards(&bed).await.is_empty());
}

#[tokio::test]
async fn a_write_that_was_answered_is_seen_by_the_next_pull() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 1).await;
    let path = InShard { logstore: logstore("ls").logstore, shard: 0 };
    let from = CursorQuery { from: "begin".into() };
    let mut cursor = bed.send::<GetCursor>(&path, &from, &()).await.unwrap().0.cursor;
    for n in 0..200 {
        let text = n.to_string();
        put(&bed, &text).await;
        let query = PullQuery { cursor, count: Some(10), end_cursor: None, query: None };
        let pulled = bed.send::<PullLogs>(&path, &query, &()).await.unwrap();
        assert_eq!(texts(&pulled.groups(PULL_BYTES_MAX).unwrap().log_groups), [text]);
        cursor = pulled.cursor;
    }
}

/// `benches/ingest` does the same 10,000 times.
#[tokio::test]
async fn a_write_that_was_answered_is_seen_by_the_next_query() {
    let bed = Bed::with_logstore().await;
    let index = Index {
        line: Some(IndexLine { token: vec![" ".into()], ..IndexLine::default() }),
        ..Index::default()
    };
    bed.send::<CreateIndex>(&logstore("ls"), &NoQuery {}, &Json(index)).await.unwrap();
    for n in 0..1_000 {
        let mut group = group(&format!("line {n}"));
        group.logs[0].time = n;
        let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
        bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await.unwrap();
        let from = i64::from(n);
        let query = GetLogsRequest { from, to: from + 1, query: "line".into(), ..Default::default() };
        let Json(found) = bed.send::<GetLogs>(&logstore("ls"), &NoQuery {}, &Json(query)).await.unwrap();
        assert_eq!(found.data.len(), 1, "line {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_the_same_time_lose_and_double_nothing() {
    let bed = std::sync::Arc::new(Bed::with_logstore().await);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let bed = bed.clone();
            tokio::spawn(async move {
                for n in 0..50 {
                    put(&bed, &format!("{writer}-{n:02}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut expected: Vec<String> =
        (0..8).flat_map(|writer| (0..50).map(move |n| format!("{writer}-{n:02}"))).collect();
    expected.sort();
    assert_eq!(texts_of_both_shards(&bed).await, expected);
}

#[tokio::test]
async fn what_is_longer_than_documented_is_refused() {
    let bed = Bed::with_logstore().await;
    let send = async |group: LogGroup| {
        let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
        bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await
    };
    let long = "x".repeat(129);
    expect!["400 PostBodyInvalid: The topic has 129 bytes, at most 128 are accepted"]
        .assert_eq(&send(LogGroup { topic: Some(long.clone()), ..group("a") }).await);
    expect!["400 PostBodyInvalid: The source has 129 bytes, at most 128 are accepted"]
        .assert_eq(&send(LogGroup { source: Some(long), ..group("a") }).await);
    expect![[
        r#"400 PostBodyInvalid: The value of "content" has 1048577 bytes, at most 1048576 are accepted"#
    ]]
    .assert_eq(&send(group(&"x".repeat((1 << 20) + 1))).await);
    assert_eq!(send(group(&"x".repeat(1 << 20))).await, "ok ()");
}

#[tokio::test]
async fn the_time_of_a_log_counts_only_where_that_is_configured() {
    let clock = mock_sls::clock::Clock::manual("2024-01-08T00:00:00Z".parse().unwrap());
    let bed = Bed::bare(Config { check_log_time: true, clock, auth: Auth::Off, ..Config::default() }).await;
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    let now = 1_704_672_000;
    for (time, ok) in [
        (now, true),
        (now - 7 * 86_400, true),
        (now - 7 * 86_400 - 1, false),
        (now + 900, true),
        (now + 901, false),
    ] {
        let mut group = group("a");
        group.logs[0].time = time;
        let body = CompressedLogs::from_group(&group, Compression::None).unwrap();
        let got = bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body).await;
        let expected = if ok { "ok ()" } else { "400 PostBodyInvalid: The post data time is out of range" };
        assert_eq!(got, expected, "{time}");
    }
    let anytime = Bed::with_logstore().await;
    put(&anytime, "of 2023").await;
}

#[tokio::test]
async fn clearing_a_logstore_takes_its_logs_and_nothing_else() {
    let bed = Bed::with_logstore().await;
    put(&bed, "before").await;
    let clear = || async { bed.send::<ClearLogStoreStorage>(&logstore("ls"), &NoQuery {}, &()).await };
    clear().await.unwrap();
    assert_eq!(texts_of_both_shards(&bed).await, [""; 0]);
    clear().await.expect("a second time changes nothing");
    put(&bed, "after").await;
    assert_eq!(texts_of_both_shards(&bed).await, ["after"]);
    let missing = bed.shown::<ClearLogStoreStorage>(&logstore("none"), &NoQuery {}, &()).await;
    assert_eq!(missing, "404 LogStoreNotExist: logstore none does not exist");
}
