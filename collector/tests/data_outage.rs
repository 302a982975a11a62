//! Six hours without a server, in a time of the test's own: what is written meanwhile stays in its files, what is
//! in memory is bounded, and all of it arrives once the server is back.

mod data_rig;
mod data_support;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU16;
use std::time::Duration;

use collector::engine::Limits;
use collector::pipeline::{Pipeline, Shards};
use data_rig::{Rig, groups_of, simple, values_of};
use data_support::{Bench, Fault, eventually, far};

const HOURS: usize = 6;
const LINES_PER_MINUTE: usize = 100;
const ROTATE_EVERY_MINUTES: usize = 10;

/// A new line of 1 KiB that hardly compresses.
fn line(number: usize) -> String {
    let noise: String = (0..32).map(|_| format!("{:032x}", fastrand::u128(..))).collect();
    format!("{number} {noise}\n")
}

/// Compressed bytes that wait for the server.
fn waiting(rig: &Rig) -> usize {
    rig.carried.all().iter().flat_map(|parcel| &parcel.groups).map(|group| group.body.len()).sum()
}

fn outage(pipeline: Pipeline, kills: bool) {
    let mut rig = Rig::new();
    rig.start(vec![pipeline.clone()]);
    let limits = Limits::default();
    let bytes_max = limits.lane_bytes_max + 2 * limits.group_text_bytes_max;
    let (mut next, mut rotated, mut was_full) = (0, 0, false);
    for minute in 1..=HOURS * 60 {
        rig.append("a.log", (next..next + LINES_PER_MINUTE).map(line).collect::<String>());
        next += LINES_PER_MINUTE;
        rig.wait_ms(60_000);
        if minute % ROTATE_EVERY_MINUTES == 0 {
            rotated += 1;
            let name = |n: usize| rig.path(&format!("a.log.{n}"));
            fs::rename(rig.path("a.log"), name(rotated)).expect("rename");
        }
        if kills && minute % 50 == 0 {
            rig.kill();
            rig.start(vec![pipeline.clone()]);
        }
        let (parcels, bytes) = (rig.carried.len(), waiting(&rig));
        assert!(parcels <= limits.lane_parcels_max, "{parcels} requests");
        assert!(bytes <= bytes_max, "{bytes} bytes of requests");
        was_full |= parcels == limits.lane_parcels_max || bytes >= limits.lane_bytes_max;
    }
    assert!(was_full, "the outage was too short to fill what there is");

    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    while times.len() < next {
        let Some(parcel) = rig.carried.pop() else {
            rig.wait_ms(5_000);
            assert!(rig.carried.len() > 0, "{} of {next} lines arrived, and no more come", times.len());
            continue;
        };
        for value in groups_of(&parcel).iter().flat_map(values_of) {
            let number = value.split(' ').next().and_then(|n| n.parse().ok());
            *times.entry(number.expect("a number")).or_default() += 1;
        }
        rig.acknowledge(&parcel);
    }
    rig.wait_ms(60_000);
    assert_eq!(rig.carried.len(), 0);
    assert!(times.values().all(|n| *n == 1));
}

#[test]
fn six_hours_without_a_server_lose_and_repeat_nothing_in_bounded_memory() {
    outage(simple(), false);
}

#[test]
fn neither_do_they_with_numbers_and_kills() {
    let shards = Shards::ExactlyOnce(NonZeroU16::MIN);
    outage(Pipeline { shards, ..simple() }, true);
}

/// The sender's time is virtual here, and its requests go over real sockets: while it waits for an answer its
/// time runs on, so that some fail by 503 and others by their time limit.
#[tokio::test(start_paused = true)]
async fn the_sender_tries_for_six_hours_and_delivers_after_them() {
    const LINES: usize = 24_000;
    let bench = Bench::new().await;
    bench.sink.fail_always(Some(Fault::Refuse(503, "ServerBusy")));
    let shards = Shards::ExactlyOnce(NonZeroU16::MIN); // a late answer is no second copy
    let pipeline = Pipeline { shards, ..data_support::simple() };
    let engine = bench.start_that_waits(Duration::from_millis(500), vec![pipeline]);
    bench.append("a.log", &(0..LINES).map(|n| format!("{n}\n")).collect::<String>());
    let under_way = || engine.status().requests_under_way;
    let is_full = eventually(|| (under_way() > 3).then_some(())).await;
    assert!(is_full.is_some(), "{:?}", engine.status());
    for _ in 0..HOURS * 60 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(under_way() <= Limits::default().lane_parcels_max as u64, "{:?}", engine.status());
    }
    assert_eq!(bench.sink.logs(), 0);
    assert!(engine.status().pipelines[0].last_error.is_some());
    tokio::time::resume();
    bench.sink.fail_always(None);
    let values = bench.sink.wait_for(LINES).await;
    assert_eq!(values, (0..LINES).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(engine.drain(far()).await.is_complete);
}
