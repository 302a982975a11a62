//! What the scripts beside this file say, sent line by line; each file is its own expectation.

use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::transcript::{self, Calls};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ops/scripts");

/// Answers are indented, everything else is a request, a comment or empty.
async fn run(script: &Path) -> String {
    let bed = transcript::bed().await;
    let mut calls = Calls::begin(&bed).await;
    let mut played = String::new();
    for line in std::fs::read_to_string(script).unwrap().lines().filter(|line| !line.starts_with(' ')) {
        played.push_str(line);
        played.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            let sent = transcript::send(&bed, line).await;
            calls.add(sent.0);
            played.push_str(&transcript::shown(&sent));
            played.push('\n');
        }
    }
    calls.check(&bed).await;
    played
}

fn scripts() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(SCRIPTS).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[tokio::test]
async fn every_script_is_answered_as_written() {
    for script in scripts() {
        expect_file![&script].assert_eq(&run(&script).await);
    }
}
