//! `docs/collector-proof.md` names tests: each of them is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// File and function of each test that the tables name.
fn named(document: &str) -> Vec<(String, &str)> {
    let rows = document.lines().filter(|line| line.starts_with("| "));
    let codes = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let tests = codes.filter_map(|code| code.split_once("::"));
    let file = |name: &str| match name.ends_with(".rs") {
        true => name.to_owned(),
        false => format!("tests/{name}.rs"),
    };
    tests.map(|(name, test)| (file(name), test)).collect()
}

#[test]
fn every_test_that_the_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("../docs/collector-proof.md")).expect("the document");
    let tests = named(&document);
    assert!(tests.len() > 80, "{} tests were found in the document", tests.len());
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let missing = tests.iter().filter(|(file, test)| {
        let text = sources
            .entry(file.clone())
            .or_insert_with(|| fs::read_to_string(root.join(file)).unwrap_or_default());
        let is_test = |at: usize| {
            let before = text[..at].trim_end().trim_end_matches("async").trim_end();
            let attribute =
                before.rsplit('\n').find(|line| !line.trim().starts_with("//")).unwrap_or_default();
            attribute.contains("#[test]") || attribute.contains("#[tokio::test")
        };
        !text.find(&format!("fn {test}(")).is_some_and(is_test)
    });
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "not there: {missing:#?}");
}
