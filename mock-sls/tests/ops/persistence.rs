//! What a folder keeps from one start to the next.

use mock_sls::clock::Clock;
use mock_sls::{Auth, Config, DEFAULT_ACCOUNT_ID, Data, MockSls};
use prost::Message;
use sls_api::NoQuery;
use sls_api::codec::{self, Compression};
use sls_api::ops::InShard;
use sls_api::ops::logstores::{DeleteLogStore, GetLogStore};
use sls_api::ops::shards::{SplitQuery, SplitShard};

use super::bed::{Bed, logstore};
use super::logs::{self, groups_of, texts};

#[tokio::test]
async fn a_folder_keeps_everything_and_a_temporary_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Data::Dir(folder.path().join("new/deep")), ..Config::default() };
    let bed = Bed::bare(config()).await;
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    bed.server.shutdown().await;

    let again = Bed::bare(config()).await;
    assert!(again.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await.is_ok());
    let temporary = Bed::bare(Config::default()).await;
    assert!(temporary.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await.is_err());
}

/// What a server of schema version 1 left: its schema and one Logstore that keeps logs for two
/// days, with one log group.
fn folder_of_version_1(path: &std::path::Path) {
    let db = rusqlite::Connection::open(path.join("mock-sls.sqlite")).unwrap();
    db.execute_batch(include_str!("../../src/store/schema/01_base.sql")).unwrap();
    let now = jiff::Timestamp::now();
    let (second, cursor) = (now.as_second(), i64::try_from(now.as_nanosecond()).unwrap());
    let project = r#"{"description":"","resource_group_id":"","data_redundancy_type":"LRS","recycle_bin_enabled":false}"#;
    let settings = r#"{"logstoreName":"ls","ttl":2,"shardCount":1,"telemetryType":"None","mode":"standard"}"#;
    let group = logs::group("from version 1").encode_to_vec();
    let mut data = Vec::new();
    codec::compress(&group, Compression::Lz4, &mut data).unwrap();
    db.execute(
        "INSERT INTO projects VALUES (1, 'proj-a', ?1, ?2, ?3, ?3)",
        (DEFAULT_ACCOUNT_ID, project, second),
    )
    .unwrap();
    db.execute("INSERT INTO logstores VALUES (1, 1, 'ls', ?1, 0, ?2, ?2)", (settings, second)).unwrap();
    let (begin, end) = ("0".repeat(32), "f".repeat(32));
    db.execute("INSERT INTO shards VALUES (1, 0, 1, ?1, ?2, ?3)", (begin, end, second)).unwrap();
    db.execute(
        "INSERT INTO blocks VALUES (1, 1, 0, ?1, ?2, 1700000000, 1700000000, 1, 'topic', 0, NULL, ?3, ?4)",
        (cursor, second, i64::try_from(group.len()).unwrap(), data),
    )
    .unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
}

#[tokio::test]
async fn a_folder_of_schema_version_1_is_served_with_all_that_came_later() {
    let folder = tempfile::tempdir().unwrap();
    folder_of_version_1(folder.path());
    let data = Data::Dir(folder.path().to_owned());
    let clock = Clock::manual(jiff::Timestamp::now());
    let config = Config { data, clock: clock.clone(), auth: Auth::Off, ..Config::default() };
    let bed = Bed::bare(config).await;
    assert_eq!(texts(&groups_of(&bed, 0).await), ["from version 1"]);
    let path = InShard { logstore: logstore("ls").logstore, shard: 0 };
    let evenly = SplitQuery { key: None, shard_count: Some(2) };
    assert_eq!(bed.send::<SplitShard>(&path, &evenly, &()).await.unwrap().0.len(), 3);
    clock.set(clock.now() + jiff::SignedDuration::from_hours(49));
    assert!(groups_of(&bed, 0).await.is_empty(), "the ttl that was set then counts now");
}

#[tokio::test]
async fn an_address_in_use_is_named_with_the_remedy() {
    let bed = Bed::start().await;
    let listen = bed.server.addr();
    let error = MockSls::start(Config { listen, ..Config::default() }).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&listen.to_string()) && text.contains("Port 0 takes a free one"), "{text}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = Data::Dir(file.join("below"));
    let error = MockSls::start(Config { data, ..Config::default() }).await.unwrap_err().to_string();
    assert!(error.contains("file/below") && error.contains("--data"), "{error}");
}

#[tokio::test]
async fn a_folder_serves_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() };
    let bed = Bed::bare(config()).await;
    let error = MockSls::start(config()).await.unwrap_err().to_string();
    assert!(error.contains("is used by another mock-sls"), "{error}");
    bed.server.shutdown().await;
    assert!(MockSls::start(config()).await.is_ok());
}

#[tokio::test]
async fn the_space_of_a_deleted_logstore_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::bare(Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() }).await;
    bed.create_project().await;
    let mut bytes_after_round = Vec::new();
    for _ in 0..3 {
        bed.create_logstore("ls", 1).await;
        for seed in 0..20 {
            logs::put(&bed, &incompressible(seed)).await;
        }
        bed.send::<DeleteLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
        let file = folder.path().join("mock-sls.sqlite");
        bytes_after_round.push(std::fs::metadata(file).unwrap().len());
    }
    let (first, last) = (bytes_after_round[0], bytes_after_round[2]);
    assert!(last <= first + (1 << 20), "the database grew: {bytes_after_round:?}");
}

/// 100 kB of text that does not compress.
fn incompressible(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..100_000).map(|_| random.alphanumeric()).collect()
}
