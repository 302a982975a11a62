//! What became of every byte, to the byte. (That the sum is right at any moment is in `data_model`.)

mod data_rig;

use std::fs;
use std::time::Duration;

use collector::engine::books::{Account, Bytes, Lines, Skipped};
use collector::engine::drain::Until;
use collector::engine::outbox::Outcome;
use collector::pipeline::{Parse, Pipeline, Step, full_match};
use data_rig::{Rig, set_age, simple};

/// Words of digits are sent, but for those that begin with 9, which are filtered; others are dropped.
fn digits() -> Pipeline {
    Pipeline {
        parse: Parse::Regex { regex: full_match(r"(\d+)").expect("regex"), keys: vec!["n".to_owned()] },
        steps: vec![Step::all_of([("n".to_owned(), full_match("[0-8].*").expect("regex"))])],
        ..simple()
    }
}

fn account(rig: &Rig) -> Account {
    let account = rig.reader.as_ref().expect("a reader").account();
    assert_eq!(account.bytes.sum(), account.bytes.discovered, "{account:?}");
    account
}

#[test]
fn lines_are_sent_dropped_or_filtered() {
    let mut rig = Rig::running(digits());
    rig.append("a.log", "1\nno\n22\n9\n333\nnone\n4");
    rig.turns();
    let wanted = Bytes {
        discovered: 20,
        unacknowledged: 9, // "1\n", "22\n", "333\n"
        dropped: 8,        // "no\n", "none\n"
        filtered: 2,       // "9\n"
        unread: 1,         // no line yet
        ..Bytes::default()
    };
    assert_eq!(account(&rig).bytes, wanted);
    rig.take();
    rig.append("a.log", "4\n");
    rig.drain(Until::WritersAreGone);
    let Account { files, bytes, lines, .. } = account(&rig);
    assert_eq!(files, 1);
    let wanted = Bytes { discovered: 22, acknowledged: 12, dropped: 8, filtered: 2, ..Bytes::default() };
    assert_eq!(bytes, wanted);
    assert_eq!(lines, Lines { sent: 4, dropped: 2, filtered: 1, ..Lines::default() });
}

#[test]
fn rotated_deleted_and_truncated_content_is_added_up_under_the_name() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "rotated\n");
    rig.turns();
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log", "deleted\n");
    rig.turns();
    fs::remove_file(rig.path("a.log")).expect("remove");
    rig.append("a.log", "truncated\n");
    rig.turns();
    fs::write(rig.path("a.log"), "").expect("truncate");
    rig.wait_ms(100);
    rig.append("a.log", "new\n");
    rig.turns();
    fs::remove_file(rig.path("a.log.1")).expect("remove");
    let (mut values, report) = rig.drain(Until::WritersAreGone);
    values.sort();
    assert_eq!(values, ["deleted", "new", "rotated", "truncated"]);
    let bytes = Bytes { discovered: 30, acknowledged: 30, ..Bytes::default() };
    let [file] = report.account.by_file.as_slice() else { panic!("{:?}", report.account) };
    assert_eq!((file.path.to_str(), file.bytes, report.account.bytes), (Some("/logs/a.log"), bytes, bytes));
}

#[test]
fn what_an_earlier_run_delivered_and_what_is_old_is_skipped_for_that_reason() {
    let mut rig = Rig::new();
    let mut pipeline = simple();
    pipeline.input.tail_bytes = 4;
    rig.append("a.log", "old 1\nold 2\nnew\n");
    set_age(&rig.path("a.log"), Duration::from_secs(3_600));
    rig.start(vec![pipeline.clone()]);
    assert_eq!(rig.values(), ["new"]);
    let skipped = Skipped { old: 12, ..Skipped::default() };
    let wanted = Bytes { discovered: 16, acknowledged: 4, skipped, ..Bytes::default() };
    assert_eq!(account(&rig).bytes, wanted);
    rig.kill();
    rig.append("a.log", "newer\n");
    rig.start(vec![pipeline]);
    assert_eq!(rig.values(), ["newer"]);
    let skipped = Skipped { delivered_before: 16, ..Skipped::default() };
    let wanted = Bytes { discovered: 22, acknowledged: 6, skipped, ..Bytes::default() };
    assert_eq!(account(&rig).bytes, wanted);
}

#[test]
fn the_rest_of_files_whose_config_is_taken_away_is_skipped_not_unread() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "1\n");
    assert_eq!(rig.values(), ["1"]);
    rig.append("a.log", "22\n");
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").apply(Vec::new(), now);
    rig.turns();
    let skipped = Skipped { config_removed: 3, ..Skipped::default() };
    let wanted = Bytes { discovered: 5, acknowledged: 2, skipped, ..Bytes::default() };
    assert_eq!(account(&rig).bytes, wanted);
}

#[test]
fn logs_that_the_server_refuses_are_neither_sent_nor_left() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "1\n22\n333\n4444\n");
    rig.wait_ms(100);
    let parcel = rig.carried.pop().expect("a request");
    let now = rig.now();
    let refused = Outcome::Refused { logs_lost: 1 };
    rig.reader.as_mut().expect("a reader").settle(parcel.id, &refused, now);
    let Account { bytes, lines, .. } = account(&rig);
    // Which one it was is not known: a quarter of the bytes.
    assert_eq!(bytes, Bytes { discovered: 14, acknowledged: 11, refused: 3, ..Bytes::default() });
    assert_eq!(lines, Lines { sent: 3, refused: 1, ..Lines::default() });
}

#[test]
fn the_deadline_of_a_drain_leaves_an_account_of_what_remains() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "1\n");
    rig.wait_ms(100);
    let (now, deadline) = (rig.now(), rig.mono + Duration::from_secs(20));
    rig.reader.as_mut().expect("a reader").begin_drain(Until::WritersAreGone, deadline, now);
    rig.wait_ms(19_900);
    assert!(rig.reader.as_ref().expect("a reader").drained().is_none());
    rig.wait_ms(200);
    let report = rig.reader.as_ref().expect("a reader").drained().expect("the end of the grace");
    assert!(!report.is_complete && report.is_known);
    assert_eq!(report.account.bytes, Bytes { discovered: 2, unacknowledged: 2, ..Bytes::default() });
    assert_eq!(report.account.lines, Lines { unacknowledged: 1, ..Lines::default() });
}
