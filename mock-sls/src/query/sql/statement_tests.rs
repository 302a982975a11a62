//! Files of statements with their rows, and statements at random.

use expect_test::{ExpectFile, expect_file};
use proptest::prelude::*;

use super::tests::bed;
use crate::query::answers;

/// Compares the answers to the statements of a file with those in it.
fn check_file(text: &str, expected: ExpectFile) {
    let mut bed = bed();
    answers::check_file(text, expected, |statement| bed.rows(statement));
}

#[test]
fn arrays_and_maps_are_as_in_the_file() {
    check_file(
        include_str!("statements/arrays_and_maps.txt"),
        expect_file!["statements/arrays_and_maps.txt"],
    );
}

#[test]
fn texts_are_as_in_the_file() {
    check_file(include_str!("statements/texts.txt"), expect_file!["statements/texts.txt"]);
}

#[test]
fn numbers_are_as_in_the_file() {
    check_file(include_str!("statements/numbers.txt"), expect_file!["statements/numbers.txt"]);
}

#[test]
fn times_are_as_in_the_file() {
    check_file(include_str!("statements/times.txt"), expect_file!["statements/times.txt"]);
}

#[test]
fn groups_are_as_in_the_file() {
    check_file(include_str!("statements/groups.txt"), expect_file!["statements/groups.txt"]);
}

#[test]
fn queries_are_as_in_the_file() {
    check_file(include_str!("statements/queries.txt"), expect_file!["statements/queries.txt"]);
}

#[test]
fn errors_are_as_in_the_file() {
    check_file(include_str!("statements/errors.txt"), expect_file!["statements/errors.txt"]);
}

#[test]
fn a_statement_does_not_double_with_each_level_that_is_compared() {
    let nested = |around: fn(String) -> String| (0..19).fold("i".to_owned(), |inner, _| around(inner));
    let case = nested(|inner| format!("case {inner} when '1' then '2' when '2' then '1' else '3' end"));
    assert_eq!(bed().rows(&format!("select {case} a where i < '3' order by i")), "a=2\na=1");
    let between =
        nested(|inner| format!("cast(array[{inner}] between array['0'] and array['1'] as varchar)"));
    assert_eq!(bed().rows(&format!("select {between} a where i < '3' order by i")), "a=false\na=false");
}

/// Pieces that statements are made of, so that some of what is made of them means something.
const PIECES: &[&str] = &[
    "select ",
    "i",
    "n",
    "x",
    "s",
    "*",
    ", ",
    "(",
    ")",
    "count(",
    "array[",
    "]",
    "map(",
    "1",
    "'a'",
    "0.5",
    " as k",
    " from log",
    " where ",
    " group by ",
    " order by ",
    " limit 1",
    " and ",
    " = ",
    " + ",
    " / ",
    " || ",
    "x -> x",
    "transform(",
    "filter(",
    "cast(",
    " as bigint)",
    " as array(varchar))",
    " case when ",
    " then ",
    " end",
    "[1]",
    "unnest(",
    " cross join ",
    " as t(a)",
    "date_trunc('day', ",
    "now()",
    "interval '1' day",
    "with a as (",
    " union ",
    "compare(",
    "time_series(__time__, '1m', '%H', '0')",
    "over (",
    " rollup (",
    "null",
    "(select ",
    "\"",
    "--",
    "row(",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_statement_is_answered_or_refused(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..14)) {
        // It must neither panic nor reach SQLite as something that SQLite refuses to read.
        let outcome = bed().rows(&format!("select {}", pieces.concat()));
        prop_assert!(!outcome.contains("near \"") && !outcome.contains("no such"), "{}", outcome);
    }
}
