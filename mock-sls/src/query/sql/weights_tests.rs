//! Statements give the same with a row for each log and with one row for equal logs, whether the logs come one by
//! one or by the summary of their block.

use std::ops::ControlFlow;

use jiff::Timestamp;
use prost::Message;
use serde_json::{Value, json};

use super::{Session, Settings, plan_with};
use crate::query::{
    log_view::GroupView,
    source::Cancel,
    summary::{RowSet, Summary},
    testing::{Bed, START, index},
};

/// Statements that take weights.
const TAKE: [&str; 16] = [
    "select count(*)",
    "select count(*) as c, count(nx) as n, count(s) as s, count(distinct s) as d",
    "select s, count(*) as c from log group by s order by c desc, s",
    "select s, sum(n), avg(n), min(n), max(n), sum(x), avg(x), count(n) group by s order by s",
    "select sum(nx), avg(nx), max(nx) where s = 'none'",
    "select count_if(n > 2), sum(n) + count(*), round(avg(x), 3) where n >= 1",
    "select date_trunc('minute', __time__) as t, count(1) as c group by t having count(*) > 1 order by t",
    "select __time__ - __time__ % 10 as t, s, count(*) as c group by t, s order by t, s limit 7",
    "select upper(s) as u, count(*) as c group by u order by c desc limit 2",
    "select approx_distinct(s), bool_or(n > 3), bool_and(n > 0), arbitrary(__topic__)",
    "select avg(c) from (select s, count(*) as c from log group by s)",
    "with a as (select s, count(*) as c from log group by s) select max(c), min(s) from a",
    "select s, count(*) * 100.0 / sum(count(*)) over () as share group by s order by s",
    "select s from log group by s order by s",
    "select j_missing, count(*) from (select s as j_missing from log group by s) group by 1 order by 1",
    "select \"j.a\", sum(\"j.b.c\") group by \"j.a\" order by \"j.a\"",
];

/// Statements that need a row for each log.
const NEED_ROWS: [&str; 10] = [
    "select s, n order by n, s limit 5",
    "select distinct s order by s",
    "select approx_percentile(n, 0.5)",
    "select stddev(n)",
    "select count(*) filter (where n > 2)",
    "select array_agg(n order by n) where n < 3",
    "select a.s, count(*) from log a join log b on a.n = b.n group by a.s order by 1",
    "select count(*) where n = (select max(n) from log)",
    "select s, row_number() over (order by n) as r order by r limit 3",
    "select max_by(s, n)",
];

fn logs() -> Vec<Value> {
    let texts = ["a", "b", "B", "", "long text"];
    let log = |i: usize| {
        let mut log = json!({"s": texts[i * i % 5], "n": (i % 7).to_string(), "x": format!("0.{}", i % 3)});
        if i.is_multiple_of(4) {
            log["nx"] = json!("17");
        }
        if i.is_multiple_of(5) {
            log["n"] = json!("not a number");
        }
        if i.is_multiple_of(6) {
            log["j"] = json!(format!("{{\"a\": \"k{}\", \"b\": {{\"c\": {i}}}}}", i % 2));
        }
        log
    };
    (0..200).map(log).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Rows,
    Weights,
    Summary,
}

/// Whether the statement took weights, and its rows.
fn run(sql: &str, way: Way) -> (bool, Vec<Vec<String>>) {
    let bed = Bed::new(index(&["s", "n", "x", "nx", "j"]), &logs());
    let window = (i64::from(START), i64::from(START) + 3_600);
    let session =
        Session::new("store", Timestamp::from_second(window.1).unwrap(), window, &Settings::default());
    let plan = plan_with(sql, bed.indexes.as_ref().unwrap(), session, way != Way::Rows);
    let plan = plan.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let raw = bed.groups[0].0.encode_to_vec();
    let summary = Summary::with_values(&raw, 128).unwrap().unwrap();
    let filled = plan.execute(&Cancel::default(), |table, _| {
        let all = RowSet::all(summary.rows());
        if way == Way::Summary && table.push_block(&summary, &all, 1)? {
            return Ok(());
        }
        let walk = GroupView::parse(&raw).unwrap().for_each(
            |_| true,
            |_, log| match table.push(log, 1) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
        );
        match walk.unwrap() {
            ControlFlow::Break(error) => Err(error.into()),
            ControlFlow::Continue(()) => Ok(()),
        }
    });
    (plan.weighted, filled.unwrap_or_else(|error| panic!("{sql}: {error}")).rows)
}

#[test]
fn statements_that_only_count_and_compare_groups_give_the_same_with_weights() {
    for sql in TAKE {
        let (_, expected) = run(sql, Way::Rows);
        assert!(!expected.is_empty(), "{sql}");
        for way in [Way::Weights, Way::Summary] {
            assert_eq!(run(sql, way), (true, expected.clone()), "{sql}: {way:?}");
        }
    }
}

#[test]
fn statements_that_need_each_log_have_a_row_for_each() {
    for sql in NEED_ROWS {
        let (_, expected) = run(sql, Way::Rows);
        for way in [Way::Weights, Way::Summary] {
            assert_eq!(run(sql, way), (false, expected.clone()), "{sql}: {way:?}");
        }
    }
}

#[test]
fn a_sum_that_overflows_fails_with_weights_as_without() {
    for way in [Way::Rows, Way::Weights] {
        let failed = std::panic::catch_unwind(|| run("select sum(n + 4611686018427387904)", way));
        let message = *failed.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("integer overflow"), "{way:?}: {message}");
    }
}
