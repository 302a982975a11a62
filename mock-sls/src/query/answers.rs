//! Files of queries with their answers, for the tests of SQL and of pipelines.

use expect_test::ExpectFile;

/// Asks the queries of a file, each behind a `>` and perhaps going on in lines that begin with
/// blanks, and compares the file with what it should be: every query with its answer.
pub fn check_file(text: &str, expected: ExpectFile, mut answer: impl FnMut(&str) -> String) {
    let mut shown = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') || line.is_empty() {
            shown.push_str(&format!("{line}\n"));
        }
        let Some(query) = line.strip_prefix("> ") else { continue };
        let mut query = query.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
            query.push_str(&format!("\n{more}"));
        }
        shown.push_str(&format!("> {query}\n"));
        let rows = answer(&query);
        if !rows.is_empty() {
            shown.push_str(&format!("{rows}\n"));
        }
    }
    expected.assert_eq(&shown);
}
