//! The account at the end: one line on standard output, the log, and the termination message of the container.
//!
//! Kubernetes shows what is in `/dev/termination-log` as `message` of the container's last state; it keeps 4096
//! bytes of it. There the account has a first line for people, and JSON in the second. Called by `ending`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tracing::{error, info, warn};

use super::data::Drained;
use crate::engine::books::{Bytes, FileAccount, Lines};
use crate::layout::Layout;

/// Longest termination message, in bytes. Source: Kubernetes documentation, "Determine the Reason for Pod Failure".
const MESSAGE_BYTES_MAX: usize = 4096;

/// Where the kubelet looks for it. Source: default of `terminationMessagePath`.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Files that the log names one by one. Source: own choice.
const LOGGED_FILES_MAX: usize = 100;

/// The account for machines.
#[derive(Debug, Serialize)]
struct Account<'a> {
    /// `signal`, `restart`, `tombstone` or `idle`.
    reason: &'a str,
    complete: bool,
    files: u64,
    lines: Lines,
    bytes: Bytes,
    /// Files that a program still had open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    still_written: Vec<&'a str>,
    /// Those first of which something is left; as many as there is room for.
    by_file: Vec<&'a FileAccount>,
    /// Files that are not in `by_file`.
    #[serde(skip_serializing_if = "is_zero")]
    more_files: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The file for the termination message: the configured one, else the kubelet's if it made one.
pub fn termination_log(configured: Option<&Path>, layout: &Layout) -> Option<PathBuf> {
    match configured {
        Some(path) => Some(layout.on_disk(path)),
        None => Some(layout.on_disk(Path::new(TERMINATION_LOG))).filter(|path| path.exists()),
    }
}

/// Gives the account to everybody who may want it.
pub fn give(reason: &str, drained: &Drained, termination_log: Option<&Path>) {
    match serde_json::to_string(drained) {
        // A closed standard output is no reason to fail now.
        Ok(json) => drop(writeln!(io::stdout(), "drained {json}")),
        Err(error) => error!("the account of the drain cannot be printed: {error}"),
    }
    info!("account: {}", summary(drained));
    for file in by_need(drained).into_iter().take(LOGGED_FILES_MAX) {
        let FileAccount { path, bytes, lines } = file;
        info!(path = %path.display(), ?bytes, ?lines, "account");
    }
    let Some(path) = termination_log else { return };
    if let Err(error) = write(path, message(reason, drained).as_bytes()) {
        warn!("the termination message cannot be written to {}: {error}", path.display());
    }
}

/// Tells why the collector could not run.
pub fn give_failure(text: &str, termination_log: Option<&Path>) {
    let cuts = (0..=MESSAGE_BYTES_MAX.min(text.len())).rev();
    let end = cuts.into_iter().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    if let Some(path) = termination_log {
        // The log has it in any case.
        let _ = write(path, text.get(..end).unwrap_or_default().as_bytes());
    }
}

fn write(path: &Path, message: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)?.write_all(message)
}

/// The account for people.
fn summary(drained: &Drained) -> String {
    let account = &drained.account;
    let lines = &account.lines;
    let mut text = format!(
        "{} files, {} lines sent, {} lost, {} bytes unread",
        account.files, lines.sent, lines.refused, account.bytes.unread
    );
    for (n, what) in [
        (lines.unacknowledged, "not acknowledged"),
        (lines.dropped, "dropped by the parser"),
        (lines.filtered, "filtered"),
    ] {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    text
}

/// The files of which something is left first, then those in which lines are missing.
fn by_need(drained: &Drained) -> Vec<&FileAccount> {
    let mut files: Vec<&FileAccount> = drained.account.by_file.iter().collect();
    files.sort_by_key(|file| {
        let bytes = &file.bytes;
        std::cmp::Reverse((
            bytes.unread + bytes.unacknowledged + bytes.refused,
            bytes.dropped,
            bytes.filtered,
        ))
    });
    files
}

/// [`summary`] and JSON, short enough for the kubelet.
fn message(reason: &str, drained: &Drained) -> String {
    let summary = summary(drained);
    let by_file = by_need(drained);
    let text = |listed: usize, written: usize| {
        let account = Account {
            reason,
            complete: drained.complete,
            files: drained.account.files,
            lines: drained.account.lines,
            bytes: drained.account.bytes,
            still_written: drained.still_written.iter().take(written).map(String::as_str).collect(),
            by_file: by_file.iter().take(listed).copied().collect(),
            more_files: drained.account.files.saturating_sub(listed.min(by_file.len()) as u64),
        };
        format!("{summary}\n{}", serde_json::to_string(&account).unwrap_or_default())
    };
    let fits = |text: &String| text.len() <= MESSAGE_BYTES_MAX;
    // The bare sums have a few hundred bytes.
    (0..=drained.still_written.len().min(3))
        .rev()
        .flat_map(|written| (0..=by_file.len().min(16)).rev().map(move |listed| (listed, written)))
        .map(|(listed, written)| text(listed, written))
        .find(fits)
        .unwrap_or(summary.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::DrainReport;
    use crate::engine::books;

    fn drained(files: usize, name_bytes: usize) -> Drained {
        let bytes = Bytes { discovered: 10, acknowledged: 7, unread: 3, ..Bytes::default() };
        let by_file = (0..files)
            .map(|n| FileAccount {
                path: PathBuf::from(format!("/{}{n}", "n".repeat(name_bytes))),
                bytes,
                lines: Lines { sent: 1, ..Lines::default() },
            })
            .collect();
        let lines = Lines { sent: 1_204_331, ..Lines::default() };
        let account = books::Account { bytes, lines, files: files as u64, by_file };
        Drained::from(DrainReport { is_known: true, account, ..DrainReport::default() })
    }

    #[test]
    fn the_message_is_a_line_for_people_and_one_for_machines() {
        let message = message("idle", &drained(3, 1));
        let (first, second) = message.split_once('\n').unwrap();
        assert_eq!(first, "3 files, 1204331 lines sent, 0 lost, 3 bytes unread");
        let json: serde_json::Value = serde_json::from_str(second).unwrap();
        assert_eq!(json["reason"], "idle");
        assert_eq!(json["bytes"]["discovered"], 10);
        assert_eq!(json["by_file"][2]["bytes"]["unread"], 3);
        assert_eq!(json["more_files"], serde_json::Value::Null);
    }

    #[test]
    fn the_message_is_never_longer_than_the_kubelet_keeps() {
        for (files, name_bytes) in [(1, 4_000), (20, 200), (1_000, 10), (0, 0)] {
            let message = message("signal", &drained(files, name_bytes));
            assert!(message.len() <= MESSAGE_BYTES_MAX, "{}", message.len());
            let json: serde_json::Value = serde_json::from_str(message.split_once('\n').unwrap().1).unwrap();
            let listed = json["by_file"].as_array().unwrap().len() as u64;
            assert_eq!(listed + json["more_files"].as_u64().unwrap_or(0), files as u64);
        }
    }
}
