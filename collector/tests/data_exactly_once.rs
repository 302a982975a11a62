//! Exactly-once delivery in single steps: what is sent again after a restart, and what is not. That nothing
//! is lost or repeated whatever happens is in `data_model` and `data_kill`.

mod data_rig;
mod data_support;

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU16;

use collector::engine::Limits;
use collector::engine::outbox::{Parcel, Route};
use collector::pipeline::{Destination, Pipeline, Shards};
use data_rig::{Rig, groups_of, simple, values_of};
use data_support::{Bench, Fault, far};
use sls_api::codec::Compression;

fn numbered(keys: u16) -> Pipeline {
    Pipeline { shards: Shards::ExactlyOnce(NonZeroU16::new(keys).expect("keys")), ..simple() }
}

fn rig(group_logs_max: u32) -> Rig {
    let mut rig = Rig::new();
    rig.limits = Limits { group_logs_max, ..Limits::default() };
    rig
}

/// Takes what is sent now and after waiting for company off the carrier, without an answer.
fn sent(rig: &mut Rig) -> Vec<Parcel> {
    rig.wait_ms(3_100);
    std::iter::from_fn(|| rig.carried.pop()).collect()
}

/// Route and lines of each.
fn parts(parcels: &[Parcel]) -> Vec<(Route, Vec<String>)> {
    parcels.iter().map(|p| (p.route.clone(), groups_of(p).iter().flat_map(values_of).collect())).collect()
}

fn key(parcel: &Parcel) -> String {
    match &parcel.route {
        Route::Numbered { key, .. } => key.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_the_same_parts_under_the_same_numbers() {
    let mut rig = rig(2);
    rig.append("a.log", "1\n2\n3\n4\n5\n");
    rig.start(vec![numbered(2)]);
    let before = sent(&mut rig);
    assert_eq!(before.len(), 3);
    assert_eq!(key(&before[0]), key(&before[2]), "two keys take turns");
    assert_ne!(key(&before[0]), key(&before[1]));
    rig.kill();
    rig.append("a.log", "6\n7\n8\n");
    rig.start(vec![numbered(2)]);
    let after = sent(&mut rig);
    assert_eq!(parts(&after)[..3], parts(&before));
    assert_eq!(parts(&after)[3].1, ["6", "7"]);
    // The middle one was answered after the restart: the part before it still comes first.
    rig.acknowledge(&after[1]);
    rig.kill();
    rig.start(vec![numbered(2)]);
    assert_eq!(parts(&sent(&mut rig))[..4], parts(&after)[..4]);
}

/// Takes what a server takes that checks numbers.
fn received<'a>(parcels: impl IntoIterator<Item = &'a Parcel>) -> Vec<String> {
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut lines = Vec::new();
    for parcel in parcels {
        let Route::Numbered { numbers, .. } = &parcel.route else { panic!("{:?}", parcel.route) };
        let last = last.entry(key(parcel)).or_insert(i64::MIN);
        if numbers.last() > *last {
            *last = numbers.last();
            lines.extend(groups_of(parcel).iter().flat_map(values_of));
        }
    }
    lines
}

#[test]
fn a_checkpoint_older_than_what_was_sent_costs_no_line() {
    let mut rig = rig(2);
    let checkpoint = rig.dir.path().join("state/file_check_point");
    rig.append("a.log", "1\n2\n3\n");
    rig.start(vec![numbered(1)]);
    let mut all = sent(&mut rig);
    let old = fs::read(&checkpoint).expect("a checkpoint");
    rig.append("a.log", "4\n5\n6\n");
    all.extend(sent(&mut rig));
    assert_eq!(received(&all), ["1", "2", "3", "4", "5", "6"]);
    rig.kill();
    // The machine lost its power: what was written last is not on its disk.
    fs::write(&checkpoint, old).expect("write");
    rig.append("a.log", "7\n8\n9\n");
    rig.start(vec![numbered(1)]);
    let after = sent(&mut rig);
    assert_eq!(parts(&after)[..2], parts(&all)[..2], "what the checkpoint knows is repeated as it was");
    let lines = received(all.iter().chain(&after));
    assert_eq!(lines, ["1", "2", "3", "4", "5", "6", "4", "5", "6", "7", "8", "9"]);
}

/// Another way to the same Logstore.
fn rerouted(pipeline: Pipeline) -> Pipeline {
    let destination = Destination { compression: Compression::Zstd, ..pipeline.destination.clone() };
    Pipeline { destination, ..pipeline }
}

#[test]
fn what_is_under_way_when_the_destination_changes_may_arrive_after_what_follows() {
    let mut rig = rig(2);
    rig.append("a.log", "1\n2\n");
    rig.start(vec![numbered(1)]);
    let first = sent(&mut rig);
    replace(&mut rig, rerouted(numbered(1)), 2);
    rig.append("a.log", "3\n4\n");
    let second = sent(&mut rig);
    assert_eq!(received(second.iter().chain(&first)), ["3", "4", "1", "2"]);
}

#[test]
fn the_same_holds_for_what_is_sent_again_after_a_restart() {
    let mut rig = rig(2);
    rig.append("a.log", "1\n2\n3\n4\n5\n6\n");
    rig.start(vec![numbered(1)]);
    assert_eq!(sent(&mut rig).len(), 3);
    rig.kill();
    rig.limits.lane_parcels_max = 1;
    rig.start(vec![numbered(1)]);
    let first = sent(&mut rig);
    assert_eq!(first.len(), 1, "the others wait for room");
    replace(&mut rig, rerouted(numbered(1)), 2);
    let mut later = Vec::new();
    for _ in 0..3 {
        let parcels = sent(&mut rig);
        parcels.iter().for_each(|parcel| rig.acknowledge(parcel));
        later.extend(parcels);
    }
    assert_eq!(received(later.iter().chain(&first)), ["3", "4", "5", "6", "1", "2"]);
}

/// Runs another version of the config.
fn replace(rig: &mut Rig, pipeline: Pipeline, version: i64) {
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").apply(vec![Pipeline { version, ..pipeline }], now);
}

#[test]
fn a_numbered_part_does_not_stand_for_unnumbered_ones_before_it() {
    for begins_with in [simple(), numbered(1)] {
        let mut rig = rig(2);
        rig.start(vec![begins_with]);
        rig.append("a.log", "1\n2\n");
        let mut all = sent(&mut rig);
        replace(&mut rig, simple(), 2);
        rig.append("a.log", "3\n4\n");
        sent(&mut rig); // never arrives
        replace(&mut rig, numbered(1), 3);
        rig.append("a.log", "5\n6\n");
        all.extend(sent(&mut rig));
        rig.kill();
        rig.start(vec![numbered(1)]);
        all.retain(|parcel| parcel.route != Route::Any);
        all.extend(sent(&mut rig));
        assert_eq!(received(&all), ["1", "2", "3", "4", "5", "6"]);
    }
}

#[test]
fn parts_are_numbered_once_the_unnumbered_ones_are_acknowledged() {
    let mut rig = rig(2);
    rig.start(vec![simple()]);
    rig.append("a.log", "1\n2\n");
    let before = sent(&mut rig);
    replace(&mut rig, numbered(1), 2);
    rig.append("a.log", "3\n4\n");
    assert_eq!(sent(&mut rig).len(), 0);
    rig.acknowledge(&before[0]);
    assert_eq!(received(&sent(&mut rig)), ["3", "4"]);
}

#[test]
fn what_was_acknowledged_is_not_sent_again() {
    let mut rig = rig(2);
    rig.append("a.log", "1\n2\n3\n");
    rig.start(vec![numbered(1)]);
    let before = sent(&mut rig);
    rig.acknowledge(&before[0]);
    rig.wait_ms(1_500); // the checkpoint is written
    rig.kill();
    rig.start(vec![numbered(1)]);
    assert_eq!(parts(&sent(&mut rig)), parts(&before[1..]));
}

#[test]
fn parts_keep_their_ends_where_the_last_line_was_not_finished() {
    let mut rig = rig(100);
    let mut pipeline = numbered(1);
    pipeline.input.flush_timeout = std::time::Duration::from_secs(1);
    rig.append("a.log", "1\n2");
    rig.start(vec![pipeline.clone()]);
    rig.wait_ms(2_000);
    let before = sent(&mut rig);
    assert_eq!(parts(&before).iter().map(|(_, lines)| lines.len()).collect::<Vec<_>>(), [1, 1]);
    for parcel in &before {
        rig.acknowledge(parcel);
    }
    rig.wait_ms(1_500);
    rig.append("a.log", "\n3\n");
    rig.turns();
    rig.wait_ms(100);
    let last = sent(&mut rig);
    assert_eq!(parts(&last)[0].1, ["3"]);
    rig.kill();
    rig.start(vec![pipeline]);
    assert_eq!(parts(&sent(&mut rig)), parts(&last), "the newline is no empty line");
}

#[test]
fn another_content_in_the_same_file_is_new() {
    let mut rig = rig(100);
    rig.append("a.log", "1\n2\n");
    rig.start(vec![numbered(1)]);
    let before = sent(&mut rig);
    rig.kill();
    fs::write(rig.path("a.log"), "three\nfour\n").expect("write");
    rig.start(vec![numbered(1)]);
    let after = sent(&mut rig);
    assert_eq!(parts(&after)[0].1, ["three", "four"]);
    assert_ne!(after[0].route, before[0].route);
}

#[test]
fn a_file_that_was_renamed_while_nobody_looked_keeps_its_numbers() {
    let mut rig = rig(2);
    rig.append("a.log", "1\n2\n3\n");
    rig.start(vec![numbered(1)]);
    let before = sent(&mut rig);
    rig.kill();
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log", "4\n");
    rig.start(vec![numbered(1)]);
    rig.wait_ms(3_000);
    let after = parts(&sent(&mut rig));
    assert!(parts(&before).iter().all(|part| after.contains(part)), "{after:?}");
    assert_eq!(after.iter().flat_map(|(_, lines)| lines).count(), 4);
}

#[test]
fn nothing_is_sent_before_the_checkpoint_knows_of_it() {
    let mut rig = rig(2);
    rig.start(vec![numbered(1)]);
    let state = rig.dir.path().join("state");
    fs::remove_dir_all(&state).expect("remove");
    fs::write(&state, "in the way").expect("write");
    rig.append("a.log", "1\n2\n3\n");
    rig.wait_ms(5_000);
    assert_eq!(rig.carried.len(), 0);
    fs::remove_file(&state).expect("remove");
    rig.wait_ms(11_000);
    assert_eq!(
        parts(&sent(&mut rig)).iter().flat_map(|(_, lines)| lines.clone()).collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
}

#[test]
fn a_pipeline_that_numbers_no_more_still_repeats_under_numbers() {
    let mut rig = rig(2);
    rig.append("a.log", "1\n2\n");
    rig.start(vec![numbered(1)]);
    let before = sent(&mut rig);
    rig.kill();
    rig.append("a.log", "3\n");
    rig.start(vec![simple()]);
    let after = sent(&mut rig);
    assert_eq!(after[0].route, before[0].route);
    assert_eq!(parts(&after)[1], (Route::Any, vec!["3".to_owned()]));
}

#[tokio::test]
async fn an_answer_that_was_lost_costs_no_second_copy() {
    let bench = Bench::new().await;
    bench.sink.fail_next([Fault::TakeAndDrop, Fault::TakeAndDrop]);
    let engine =
        bench.start(vec![Pipeline { destination: data_support::destination("store"), ..numbered(2) }]);
    bench.append("a.log", "1\n2\n");
    bench.sink.wait_for(2).await;
    bench.append("a.log", "3\n");
    assert_eq!(bench.sink.wait_for(3).await, ["1", "2", "3"]);
    let report = engine.drain(far()).await;
    assert!(report.is_complete, "{report}");
    assert_eq!((report.account.lines.sent, bench.sink.logs()), (3, 3));
    assert!(bench.sink.refused() > 0);
}

#[tokio::test]
async fn parts_that_are_too_large_are_divided_and_none_is_taken_for_the_other() {
    let bench = Bench::new().await;
    bench.sink.refuse_above(3);
    let lines: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    bench.append("a.log", &lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let engine = bench.start(vec![numbered(1)]);
    assert_eq!(bench.sink.wait_for(50).await, lines);
    assert!(engine.drain(far()).await.is_complete);
    assert_eq!((bench.sink.logs(), bench.sink.refused()), (50, 0));
}
