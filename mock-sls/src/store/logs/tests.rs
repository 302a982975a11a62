//! Tests of what is stored and read again.

use std::net::Ipv4Addr;
use std::ops::ControlFlow;

use prost::Message;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::ops::indexes::Index;

use super::*;
use crate::query::source::Order;
use crate::store::blocks::{Blocks, pull, scan};
use crate::store::logstores;
use crate::store::testing::{at, block, with_logstore};

fn put(tx: &Transaction<'_>, target: WriteTarget, topic: &str, times: &[u32]) {
    let log = |time: &u32| Log { time: *time, contents: vec![Content::new("k", "v")], time_ns: None };
    let group = LogGroup {
        logs: times.iter().map(log).collect(),
        topic: Some(topic.to_owned()),
        ..LogGroup::default()
    };
    let block = block(group);
    append(tx, &Packs::none(), target, 0, &block, Ipv4Addr::LOCALHOST.into(), at(0)).unwrap();
}

/// Reads what has not expired at `second`.
fn reading(target: WriteTarget, second: i64) -> ReadTarget {
    ReadTarget { id: target.id, oldest: logstores::oldest(1, at(second)) }
}

fn all(target: WriteTarget) -> ReadTarget {
    reading(target, 0)
}

fn scanned(
    db: &Connection,
    target: WriteTarget,
    window: (i64, i64),
    topic: Option<&str>,
    order: Order,
) -> String {
    let mut seen = Vec::new();
    let mut blocks = Blocks::new(db).unwrap();
    scan(db, all(target), window.0, window.1, topic, order, &mut |meta| {
        let group = LogGroup::decode(blocks.read(meta).unwrap()).unwrap();
        assert_eq!(group.logs.len(), meta.log_count as usize);
        seen.push(format!("{}@{}", group.topic.unwrap_or_default(), meta.index_generation));
        ControlFlow::Continue(())
    })
    .unwrap();
    seen.join(" ")
}

#[test]
fn a_scan_finds_the_blocks_of_a_window_in_either_order() {
    with_logstore(|tx, target| {
        put(tx, target, "late", &[50, 60]);
        put(tx, target, "wide", &[10, 90]);
        put(tx, target, "early", &[20]);
        put(tx, target, "early-too", &[20]);
        let all = |order| scanned(tx, target, (0, 100), None, order);
        assert_eq!(all(Order::OldestFirst), "wide@0 early@0 early-too@0 late@0");
        assert_eq!(all(Order::NewestFirst), "wide@0 late@0 early-too@0 early@0");
        assert_eq!(scanned(tx, target, (20, 21), None, Order::OldestFirst), "wide@0 early@0 early-too@0");
        assert_eq!(scanned(tx, target, (60, 61), None, Order::OldestFirst), "wide@0 late@0");
        assert_eq!(scanned(tx, target, (91, 100), None, Order::OldestFirst), "");
        assert_eq!(scanned(tx, target, (0, 100), Some("late"), Order::Any), "late@0");
    });
}

#[test]
fn how_far_apart_logs_of_a_block_are_is_kept_with_the_logstore() {
    with_logstore(|tx, target| {
        let kept = || -> u32 {
            tx.query_row("SELECT block_seconds_max FROM logstores", (), |row| row.get(0)).unwrap()
        };
        for (times, expected) in [([5, 5], 0), ([10, 90], 80), ([20, 21], 80)] {
            put(tx, target, "t", &times);
            assert_eq!(kept(), expected);
        }
    });
}

#[test]
fn a_scan_stops_when_told() {
    with_logstore(|tx, target| {
        put(tx, target, "a", &[1]);
        put(tx, target, "b", &[2]);
        let mut seen = 0;
        scan(tx, all(target), 0, 100, None, Order::Any, &mut |_| {
            seen += 1;
            ControlFlow::Break(())
        })
        .unwrap();
        assert_eq!(seen, 1);
    });
}

#[test]
fn blocks_carry_the_index_generation_they_were_written_under() {
    with_logstore(|tx, target| {
        put(tx, target, "before", &[1]);
        indexes::set(tx, target.id, Some(&Index::default()), at(1)).unwrap();
        put(tx, target, "first", &[2]);
        indexes::set(tx, target.id, None, at(2)).unwrap();
        indexes::set(tx, target.id, Some(&Index::default()), at(3)).unwrap();
        put(tx, target, "third", &[3]);
        assert_eq!(scanned(tx, target, (0, 100), None, Order::OldestFirst), "before@0 first@1 third@3");
        assert_eq!(indexes::get(tx, target.id).unwrap().unwrap().generation, 3);
    });
}

#[test]
fn a_pull_takes_no_further_group_beyond_its_bytes() {
    with_logstore(|tx, target| {
        for _ in 0..3 {
            put(tx, target, "t", &[1]);
        }
        let pulled = |bytes| pull(tx, all(target), 0, (0, None), 100, bytes).unwrap().len();
        assert_eq!((pulled(1), pulled(usize::MAX)), (1, 3));
    });
}
