//! Files of statements with their rows, and statements at random.

use expect_test::{ExpectFile, expect_file};
use proptest::prelude::*;

use super::tests::bed;

/// Runs the statements of a file, each behind a `>` and perhaps going on in lines that begin with
/// blanks, and compares the file with what it should be: every statement with its rows.
fn check_file(text: &str, expected: ExpectFile) {
    let mut bed = bed();
    let mut shown = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') || line.is_empty() {
            shown.push_str(&format!("{line}\n"));
        }
        let Some(statement) = line.strip_prefix("> ") else { continue };
        let mut statement = statement.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
            statement.push_str(&format!("\n{more}"));
        }
        shown.push_str(&format!("> {statement}\n"));
        let rows = bed.rows(&statement);
        if !rows.is_empty() {
            shown.push_str(&format!("{rows}\n"));
        }
    }
    expected.assert_eq(&shown);
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
