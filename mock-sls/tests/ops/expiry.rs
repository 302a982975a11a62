use jiff::{SignedDuration, Timestamp};
use mock_sls::clock::Clock;
use mock_sls::{Auth, Config};
use sls_api::ops::InShard;
use sls_api::ops::cursors::{CursorQuery, GetCursor, PullLogs, PullQuery};
use sls_api::ops::indexes::{CreateIndex, Index, IndexLine};
use sls_api::ops::logs::{GetLogs, GetLogsRequest};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings, UpdateLogStore};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::{Bed, logstore};
use super::logs::{self, groups_of, texts};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A Logstore `ls` of one shard that keeps logs for a day and holds `old`, and twelve hours
/// later `new`.
async fn start() -> (Bed, Clock, Timestamp) {
    let begin = Timestamp::now();
    let clock = Clock::manual(begin);
    let config = Config { clock: clock.clone(), auth: Auth::Off, ..Config::default() };
    let bed = Bed::bare(config).await;
    bed.create_project().await;
    let settings = LogstoreSettings::new(logstore("ls").logstore, 1, 1);
    bed.send::<CreateLogStore>(&NoPath {}, &NoQuery {}, &Json(settings)).await.unwrap();
    let line = Some(IndexLine { token: vec![" ".into()], ..IndexLine::default() });
    let index = Json(Index { line, ..Index::default() });
    bed.send::<CreateIndex>(&logstore("ls"), &NoQuery {}, &index).await.unwrap();
    logs::put(&bed, "old").await;
    clock.set(begin + DAY / 2);
    logs::put(&bed, "new").await;
    (bed, clock, begin)
}

async fn found(bed: &Bed) -> usize {
    let all = GetLogsRequest { to: i64::from(u32::MAX), query: "*".into(), ..GetLogsRequest::default() };
    bed.send::<GetLogs>(&logstore("ls"), &NoQuery {}, &Json(all)).await.unwrap().0.data.len()
}

fn shard() -> InShard {
    InShard { logstore: logstore("ls").logstore, shard: 0 }
}

async fn cursor(bed: &Bed, from: &str) -> String {
    bed.send::<GetCursor>(&shard(), &CursorQuery { from: from.into() }, &()).await.unwrap().0.cursor
}

#[tokio::test]
async fn logs_vanish_from_pulls_and_queries_when_their_days_are_over() {
    let (bed, clock, begin) = start().await;
    clock.set(begin + DAY);
    assert_eq!((found(&bed).await, texts(&groups_of(&bed, 0).await)), (2, vec!["old".into(), "new".into()]));
    clock.set(begin + DAY + SignedDuration::from_millis(1));
    assert_eq!((found(&bed).await, texts(&groups_of(&bed, 0).await)), (1, vec!["new".into()]));
    clock.set(begin + DAY * 2);
    assert_eq!((found(&bed).await, groups_of(&bed, 0).await), (0, vec![]));
    assert_eq!(cursor(&bed, "begin").await, cursor(&bed, "end").await);
}

#[tokio::test]
async fn an_expired_cursor_goes_on_with_the_oldest_log() {
    let (bed, clock, begin) = start().await;
    let first = cursor(&bed, "begin").await;
    clock.set(begin + DAY + SignedDuration::from_millis(1));
    let query = PullQuery { cursor: first, count: None, end_cursor: None, query: None };
    let pulled = bed.send::<PullLogs>(&shard(), &query, &()).await.unwrap();
    assert_eq!((pulled.count, pulled.cursor), (1, cursor(&bed, "end").await));
}

#[tokio::test]
async fn a_cursor_before_nothing_but_expired_logs_leads_to_the_end() {
    let (bed, clock, begin) = start().await;
    let first = cursor(&bed, "begin").await;
    clock.set(begin + DAY * 2);
    let query = PullQuery { cursor: first, count: None, end_cursor: None, query: None };
    let pulled = bed.send::<PullLogs>(&shard(), &query, &()).await.unwrap();
    assert_eq!((pulled.count, pulled.cursor, pulled.end_of_cursor), (0, cursor(&bed, "end").await, true));
}

#[tokio::test]
async fn a_change_of_ttl_counts_at_once_and_3650_is_for_ever() {
    let (bed, clock, begin) = start().await;
    let set = async |days| {
        let settings = LogstoreSettings::new(logstore("ls").logstore, days, 1);
        bed.send::<UpdateLogStore>(&logstore("ls"), &NoQuery {}, &Json(settings)).await.unwrap();
    };
    clock.set(begin + DAY * 3);
    assert_eq!(found(&bed).await, 0);
    set(7).await;
    assert_eq!(found(&bed).await, 2);
    clock.set(begin + DAY * 8_000);
    assert_eq!(found(&bed).await, 0);
    set(3_650).await;
    assert_eq!(found(&bed).await, 2);
}
