//! What a folder keeps from one start to the next.

use mock_sls::clock::Clock;
use mock_sls::{Auth, Config, DEFAULT_ACCOUNT_ID, Data, MockSls};
use prost::Message;
use sls_api::NoQuery;
use sls_api::codec::{self, Compression};
use sls_api::ops::InShard;
use sls_api::ops::logs::{PutByKeyQuery, PutLogsByKey};
use sls_api::ops::logstores::{DeleteLogStore, GetLogStore};
use sls_api::ops::shards::{SplitQuery, SplitShard};

use super::bed::{Bed, logstore};
use super::logs::{self, groups_of, texts};
use super::transcript;

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

/// The schema of the first versions, step by step.
const STEPS: [&str; 4] = [
    include_str!("../../src/store/schema/01_base.sql"),
    include_str!("../../src/store/schema/02_consumer_groups.sql"),
    include_str!("../../src/store/schema/03_documents.sql"),
    include_str!("../../src/store/schema/04_block_times.sql"),
];

/// What a server of this schema version left, brought there from version 1 as it was then: its schema and some
/// of what each version can hold.
fn folder_of_version(path: &std::path::Path, version: usize) {
    let db = rusqlite::Connection::open(path.join("mock-sls.sqlite")).unwrap();
    // Version 4 holds nothing new, but knows more of what there is.
    let fill = [fill_version_1, fill_version_2, fill_version_3, |_: &rusqlite::Connection| {}];
    for (step, fill) in STEPS.iter().zip(fill).take(version) {
        db.execute_batch(step).unwrap();
        fill(&db);
    }
    db.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
}

/// One Logstore that keeps logs for two days, with one log group, and a machine group.
fn fill_version_1(db: &rusqlite::Connection) {
    let now = jiff::Timestamp::now();
    let (second, cursor) = (now.as_second(), i64::try_from(now.as_nanosecond()).unwrap());
    let project = r#"{"description":"","resource_group_id":"","data_redundancy_type":"LRS","recycle_bin_enabled":false}"#;
    let settings = r#"{"logstoreName":"ls","ttl":2,"shardCount":1,"telemetryType":"None","mode":"standard"}"#;
    let group = logs::group("of an earlier version").encode_to_vec();
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
    let machines = r#"{"groupName":"mg","groupType":"","machineIdentifyType":"ip","machineList":[]}"#;
    db.execute("INSERT INTO machine_groups VALUES (1, 1, 'mg', ?1, ?2, ?2)", (machines, second)).unwrap();
}

/// A writer with a sequence number, and a consumer group that has read to the log group's end.
fn fill_version_2(db: &rusqlite::Connection) {
    let second = jiff::Timestamp::now().as_second();
    db.execute("INSERT INTO sequences VALUES (1, ?1, 7, ?2)", ("0".repeat(32), second)).unwrap();
    db.execute("INSERT INTO consumer_groups VALUES (1, 1, 'cg', 60, 0)", ()).unwrap();
    let end: i64 = db.query_row("SELECT cursor + 1 FROM blocks", (), |row| row.get(0)).unwrap();
    db.execute("INSERT INTO checkpoints VALUES (1, 0, ?1, 'reader', ?2)", (end, second * 1_000_000)).unwrap();
}

/// A pipeline config and a tag.
fn fill_version_3(db: &rusqlite::Connection) {
    let second = jiff::Timestamp::now().as_second();
    let body = r#"{"configName":"pipe","inputs":[],"flushers":[]}"#;
    db.execute(
        "INSERT INTO documents (project_id, kind, name, body, create_time, last_modify_time) \
         VALUES (1, 'logtailpipelineconfig', 'pipe', ?1, ?2, ?2)",
        (body, second),
    )
    .unwrap();
    db.execute("INSERT INTO tags VALUES (1, 0, 'project', '', 'team', 'a')", ()).unwrap();
}

/// A server on a folder of this version, and the hand of its clock.
async fn bed_of_version(folder: &std::path::Path, version: usize) -> (Bed, Clock) {
    folder_of_version(folder, version);
    let clock = Clock::manual(jiff::Timestamp::now());
    let data = Data::Dir(folder.to_owned());
    let config = Config { data, clock: clock.clone(), auth: Auth::Off, ..Config::default() };
    (Bed::bare(config).await, clock)
}

/// What the server says to a line of a script.
async fn said(bed: &Bed, line: &str) -> String {
    transcript::shown(&transcript::send(bed, line).await).trim().to_owned()
}

#[tokio::test]
async fn a_folder_of_an_earlier_schema_version_is_served_with_all_that_came_later() {
    for version in 1..=STEPS.len() {
        let folder = tempfile::tempdir().unwrap();
        let (bed, clock) = bed_of_version(folder.path(), version).await;
        assert_eq!(texts(&groups_of(&bed, 0).await), ["of an earlier version"], "version {version}");
        let path = InShard { logstore: logstore("ls").logstore, shard: 0 };
        let evenly = SplitQuery { key: None, shard_count: Some(2) };
        assert_eq!(bed.send::<SplitShard>(&path, &evenly, &()).await.unwrap().0.len(), 3);
        let search = r#"POST /savedsearches {"savedsearchName":"search","logstore":"ls","searchQuery":"a"}"#;
        assert_eq!(said(&bed, search).await, "CreateSavedSearch 200");
        let new = r#"POST /pipelineconfigs {"configName":"new","inputs":[],"flushers":[]}"#;
        assert_eq!(said(&bed, new).await, "CreateLogtailPipelineConfig 200");
        assert_eq!(said(&bed, "PUT /machinegroups/mg/configs/new").await, "ApplyConfigToMachineGroup 200");
        clock.set(clock.now() + jiff::SignedDuration::from_hours(49));
        assert!(groups_of(&bed, 0).await.is_empty(), "the ttl that was set then counts now");
    }
}

#[tokio::test]
async fn a_snapshot_of_an_earlier_schema_version_is_brought_up_to_date_and_stays_as_it_is() {
    let (folder, earlier) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bed =
        Bed::bare(Config { data: Data::Dir(folder.path().to_owned()), auth: Auth::Off, ..Config::default() })
            .await;
    folder_of_version(earlier.path(), 1);
    let snapshots = folder.path().join("snapshots");
    std::fs::create_dir(&snapshots).unwrap();
    let snapshot = snapshots.join("old.sqlite");
    std::fs::copy(earlier.path().join("mock-sls.sqlite"), &snapshot).unwrap();
    let before = std::fs::read(&snapshot).unwrap();
    for _ in 0..2 {
        bed.server.restore("old").await.unwrap();
        assert_eq!(texts(&groups_of(&bed, 0).await), ["of an earlier version"]);
    }
    assert_eq!(std::fs::read(&snapshot).unwrap(), before);
    assert_eq!(std::fs::read_dir(&snapshots).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn consumer_groups_and_sequence_numbers_of_schema_version_2_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (bed, _) = bed_of_version(folder.path(), 2).await;
    let groups = said(&bed, "GET /logstores/ls/consumergroups").await;
    assert_eq!(groups, r#"ListConsumerGroup 200 [{"name":"cg","timeout":60,"order":false}]"#);
    let checkpoints = said(&bed, "GET /logstores/ls/consumergroups/cg").await;
    assert!(checkpoints.contains(r#""consumer":"reader""#), "{checkpoints}");
    let key = "0".repeat(32);
    for (number, answer) in [(7, "400 InvalidSequenceId"), (8, "200")] {
        let body = logs::body("numbered");
        let query = PutByKeyQuery { key: key.clone(), seqid: Some(number) };
        let shown = bed.shown::<PutLogsByKey>(&logstore("ls"), &query, &body).await;
        assert!(shown.starts_with(answer) || (answer == "200" && shown.starts_with("ok")), "{shown}");
    }
}

#[tokio::test]
async fn documents_and_tags_of_schema_version_3_are_as_good_as_new() {
    let folder = tempfile::tempdir().unwrap();
    let (bed, _) = bed_of_version(folder.path(), 3).await;
    assert_eq!(said(&bed, "PUT /machinegroups/mg/configs/pipe").await, "ApplyConfigToMachineGroup 200");
    let applied = said(&bed, "GET /machinegroups/mg/configs").await;
    assert_eq!(applied, r#"GetAppliedConfigs 200 {"count":1,"configs":["pipe"]}"#);
    let tags = said(&bed, "account GET /tags?resourceType=project&resourceId=%5B%22proj-a%22%5D").await;
    assert!(tags.contains(r#""tagKey":"team","tagValue":"a""#), "{tags}");
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
