//! The journal without a server.

use super::*;

const PUT: (&str, &str) = ("PutLogs", "/logstores/{logstore}/shards/lb");
const PULL: (&str, &str) = ("PullLogs", "/logstores/{logstore}/shards/{shard}");

fn record(path: &str, operation: (&'static str, &'static str), status: Option<u16>) -> Record {
    Record {
        time: Timestamp::UNIX_EPOCH,
        request_id: "ID".to_owned(),
        method: Method::POST,
        path: path.to_owned(),
        operation: Some(operation),
        project: Some("p".to_owned()),
        status,
        lost: status.is_none(),
        error: status.filter(|status| *status != 200).map(|_| ("Code".into(), "message".to_owned())),
        bytes_in: 1,
        bytes_out: 2,
        took: Duration::from_micros(3),
        client: "127.0.0.1:80".parse().unwrap(),
        writing: None,
        faults: Names::new(),
        sent: None,
    }
}

fn put(journal: &Journal, logstore: &str, status: u16) {
    journal.add(record(&format!("/logstores/{logstore}/shards/lb"), PUT, Some(status)), None);
}

fn numbers(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

fn asked(journal: &Journal, filter: &Filter) -> Page {
    journal.page(&filter.check().unwrap(), filter.since, filter.limit.unwrap_or(LIMIT_DEFAULT))
}

#[test]
fn the_ring_holds_so_many_entries_and_bytes_and_no_more() {
    let few = Journal::new(3, usize::MAX);
    (0..10).for_each(|_| put(&few, "a", 200));
    assert_eq!(numbers(&asked(&few, &Filter::default())), [8, 9, 10]);
    let small = Journal::new(usize::MAX, 10_000);
    (0..1_000).for_each(|_| put(&small, &"a".repeat(2_000), 200));
    let ring = small.lock();
    assert!(ring.bytes <= 10_000 && ring.kept.len() < 10, "{} {}", ring.bytes, ring.kept.len());
    assert!(ring.kept.iter().all(|kept| kept.record.path.capacity() == PATH_BYTES_MAX));
    assert_eq!(ring.end(), 1_001);
}

fn put_body(journal: &Journal, bytes: usize) {
    let mut sent = Sent::new(Some("a=1"), &http::HeaderMap::new());
    sent.came(&vec![7; bytes].into());
    let record = record("/logstores/a/shards/lb", PUT, Some(200));
    journal.add(Record { sent: Some(Box::new(sent)), ..record }, None);
}

fn body_of(journal: &Journal, seq: u64) -> Option<usize> {
    journal.one(seq).unwrap().1.map(|sent| sent.body.len())
}

#[test]
fn what_was_sent_is_kept_within_a_bound_of_its_own_and_the_entries_stay() {
    let journal = Journal::new(50, usize::MAX);
    (0..40).for_each(|_| put_body(&journal, 500_000));
    assert_eq!((body_of(&journal, 1), body_of(&journal, 40)), (None, Some(500_000)));
    let kept = (1..=40).filter(|seq| body_of(&journal, *seq).is_some()).count();
    assert_eq!(kept, 33, "16 MiB of 500 kB each");
    (0..30).for_each(|_| put_body(&journal, 1));
    assert!(journal.one(20).is_none() && journal.one(71).is_none());
    assert!(journal.lock().sent_bytes <= sent::ALL_BYTES_MAX);
    put_body(&journal, 600_000);
    assert_eq!(body_of(&journal, 71), Some(0), "a large one is not kept");
    journal.clear();
    assert_eq!(journal.lock().sent_bytes, 0);
    put_body(&journal, 3);
    assert_eq!(body_of(&journal, 72), Some(3));
}

#[test]
fn what_was_sent_goes_with_its_entry() {
    let journal = Journal::new(3, usize::MAX);
    (0..10).for_each(|_| put_body(&journal, 1_000));
    let one = journal.one(10).unwrap().1.unwrap().bytes();
    assert_eq!(journal.lock().sent_bytes, 3 * one);
}

#[test]
fn the_last_entries_of_which_something_else_holds_are_found() {
    let journal = Journal::default();
    (0..9).for_each(|place| put(&journal, "a", if place % 2 == 0 { 200 } else { 500 }));
    let filter = Filter { limit: Some(2), ..Filter::default() };
    let failed = journal.last(&filter, |record| record.status == Some(500)).unwrap();
    assert_eq!(failed.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [6, 8]);
}

#[tokio::test]
async fn a_number_from_before_a_restart_is_taken_for_the_newest() {
    let journal = Journal::default();
    put(&journal, "a", 200);
    let filter = Filter { since: Some(2_000), ..Filter::default() };
    assert_eq!(journal.ask(&filter).await.unwrap().next, 1);
}

#[test]
fn the_last_entries_are_told_or_the_first_after_a_number() {
    let journal = Journal::default();
    (0..1_000).for_each(|number| put(&journal, if number % 2 == 0 { "even" } else { "odd" }, 200));
    let filter = Filter { logstore: Some("odd".to_owned()), limit: Some(2), ..Filter::default() };
    let last = asked(&journal, &filter);
    assert_eq!((numbers(&last), last.next, last.missed), (vec![998, 1_000], 1_000, 0));
    let first = asked(&journal, &Filter { since: Some(3), ..filter.clone() });
    assert_eq!((numbers(&first), first.next, first.missed), (vec![4, 6], 6, 0));
    let all = asked(&journal, &Filter { limit: Some(10_000), since: Some(0), ..filter.clone() });
    assert_eq!((all.entries.len(), all.next), (500, 1_000));
    let later = asked(&journal, &Filter { since: Some(2_000), ..filter });
    assert_eq!((later.entries.len(), later.next), (0, 2_000));
}

#[test]
fn what_is_forgotten_is_counted_and_numbers_go_on_after_a_clear() {
    let journal = Journal::new(2, usize::MAX);
    (0..5).for_each(|_| put(&journal, "a", 200));
    let since = |since| asked(&journal, &Filter { since: Some(since), ..Filter::default() });
    assert_eq!((numbers(&since(1)), since(1).missed), (vec![4, 5], 2));
    journal.clear();
    assert_eq!((numbers(&since(5)), since(5).missed, since(5).next), (vec![], 0, 5));
    assert_eq!((since(1).missed, since(1).next), (4, 5));
    put(&journal, "a", 200);
    assert_eq!(numbers(&since(5)), [6]);
}

#[test]
fn names_come_from_the_path_and_a_client_is_named_once() {
    let journal = Journal::default();
    let agent = HeaderValue::from_static("agent");
    for _ in 0..2 {
        journal.add(record("/logstores/a%2Db/shards/7", PULL, Some(200)), Some(&agent));
    }
    let page = asked(&journal, &Filter { logstore: Some("a-b".to_owned()), ..Filter::default() });
    let entry = page.entries.first().unwrap();
    assert_eq!((entry.logstore.as_deref(), entry.shard), (Some("a-b"), Some(7)));
    assert_eq!(entry.user_agent.as_deref(), Some("agent"));
    let ring = journal.lock();
    let names: Vec<_> = ring.kept.iter().filter_map(|kept| kept.user_agent.as_ref()).collect();
    assert!(Arc::ptr_eq(names[0], names[1]));
}

#[test]
fn errors_of_writes_are_those_of_the_logstore_since_a_time() {
    let journal = Journal::default();
    put(&journal, "a", 200);
    put(&journal, "a", 403);
    put(&journal, "b", 403);
    journal.add(record("/logstores/a/shards/0", PULL, Some(500)), None);
    journal.add(record("/logstores/a/shards/lb", PUT, None), None);
    let since = |second| {
        let errors = journal.write_errors("p", "a", Timestamp::from_second(second).unwrap());
        errors.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!((since(0), since(1)), (vec![2, 5], vec![]));
}

#[tokio::test]
async fn who_follows_waits_until_something_matches() {
    let journal = Journal::default();
    put(&journal, "a", 200);
    let follow = |ms| Filter {
        logstore: Some("b".to_owned()),
        since: Some(1),
        follow_ms: Some(ms),
        ..Filter::default()
    };
    let filter = follow(60_000);
    let (page, ()) = tokio::join!(journal.ask(&filter), async {
        tokio::task::yield_now().await;
        put(&journal, "a", 200);
        tokio::task::yield_now().await;
        put(&journal, "b", 200);
    });
    assert_eq!(numbers(&page.unwrap()), [3]);
    let nothing = journal.ask(&Filter { since: Some(3), ..follow(1) }).await.unwrap();
    assert_eq!((nothing.entries.len(), nothing.next), (0, 3));
}
