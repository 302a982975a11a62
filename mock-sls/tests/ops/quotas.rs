use expect_test::expect;
use jiff::{SignedDuration, Timestamp};
use mock_sls::clock::Clock;
use mock_sls::{Config, WriteQuotas};
use sls_api::NoQuery;
use sls_api::ops::logs::{PutByKeyQuery, PutLogs, PutLogsByKey};

use super::bed::{Bed, logstore};
use super::logs::body;

/// A server whose clock stands, with a Logstore of two shards; one body is more than half of
/// `bytes`.
async fn bed(quotas: WriteQuotas) -> (Bed, Clock) {
    let clock = Clock::manual(Timestamp::now());
    let bed = Bed::bare(Config { write_quotas: quotas, clock: clock.clone(), ..Config::default() }).await;
    bed.create_project().await;
    bed.create_logstore("ls", 2).await;
    (bed, clock)
}

/// Bytes of a body of these tests, before compression.
fn body_bytes() -> u64 {
    body("x").raw_size as u64
}

#[tokio::test]
async fn a_shard_refuses_what_exceeds_its_quota_until_the_next_second() {
    let shard_bytes_per_s = Some(2 * body_bytes());
    let (bed, clock) = bed(WriteQuotas { shard_bytes_per_s, ..WriteQuotas::default() }).await;
    let put = async |key: &str| {
        let query = PutByKeyQuery { key: key.into(), seqid: None };
        bed.shown::<PutLogsByKey>(&logstore("ls"), &query, &body("x")).await
    };
    assert_eq!((put("0").await, put("0").await), ("ok ()".to_owned(), "ok ()".to_owned()));
    expect!["403 ShardWriteQuotaExceed: Write quota of shard 0 is exceeded: write less, or split it."]
        .assert_eq(&put("0").await);
    assert_eq!(put("f").await, "ok ()", "another shard");
    clock.set(clock.now() + SignedDuration::from_secs(1));
    assert_eq!(put("0").await, "ok ()");
}

#[tokio::test]
async fn a_project_refuses_what_exceeds_its_quota_in_all_its_shards() {
    let project_bytes_per_s = Some(2 * body_bytes());
    let (bed, _) = bed(WriteQuotas { project_bytes_per_s, ..WriteQuotas::default() }).await;
    let put = async || bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body("x")).await;
    assert_eq!((put().await, put().await), ("ok ()".to_owned(), "ok ()".to_owned()));
    expect!["403 WriteQuotaExceed: Write quota is exceeded."].assert_eq(&put().await);
}

#[tokio::test]
async fn a_body_larger_than_a_quota_is_taken_alone() {
    let (bed, _) = bed(WriteQuotas { shard_bytes_per_s: Some(1), project_bytes_per_s: Some(1) }).await;
    let put = async || bed.shown::<PutLogs>(&logstore("ls"), &NoQuery {}, &body("x")).await;
    assert_eq!(put().await, "ok ()");
    assert!(put().await.starts_with("403 WriteQuotaExceed"));
}

#[tokio::test]
async fn a_repeated_sequence_number_costs_no_quota() {
    let shard_bytes_per_s = Some(2 * body_bytes());
    let (bed, _) = bed(WriteQuotas { shard_bytes_per_s, ..WriteQuotas::default() }).await;
    let put = async |number| {
        let query = PutByKeyQuery { key: "0".into(), seqid: Some(number) };
        bed.shown::<PutLogsByKey>(&logstore("ls"), &query, &body("x")).await
    };
    assert_eq!(put(1).await, "ok ()");
    for _ in 0..3 {
        assert!(put(1).await.contains("InvalidSequenceId"));
    }
    assert_eq!(put(2).await, "ok ()");
}
