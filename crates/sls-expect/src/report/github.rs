//! Results as workflow commands of GitHub Actions, which shows them beside the change. Source: GitHub's
//! document "Workflow commands for GitHub Actions".

use std::fmt::Write;

use super::Case;

/// An annotation for each case that failed; a notice that all passed.
pub fn github(cases: &[Case]) -> String {
    let mut out = String::new();
    for (case, failure) in cases.iter().filter_map(|case| Some((case, case.failure.as_ref()?))) {
        // Writing to a text does not fail.
        let _ = writeln!(out, "::error title={}::{}", property(&case.name), data(failure.trim_end()));
    }
    if out.is_empty() {
        let _ = writeln!(out, "::notice::{} expectations hold", cases.len());
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_become_annotations_of_one_line() {
        let failed =
            Case { name: "p/l: a, b".to_owned(), seconds: 1.0, failure: Some("100%\nx\n".to_owned()) };
        let passed = Case { failure: None, ..failed.clone() };
        assert_eq!(github(&[failed, passed.clone()]), "::error title=p/l%3A a%2C b::100%25%0Ax\n");
        assert_eq!(github(&[passed]), "::notice::1 expectations hold\n");
    }
}
