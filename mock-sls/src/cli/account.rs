//! `mock-sls account`: holds what a running emulator received against ledgers of what was written.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use sls_expect::account::{AccountAsked, AccountVerdict, OrderWithin};
use sls_expect::client::LedgerBody;
use sls_expect::ledger::{LINE_BYTES_MAX, is_cut};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::call::{self, Emulator, Server};
use super::expect::{asked_wrongly, duration, wrong};
use super::told::{self, Format};

/// Bytes of a file that are read at once, and pieces that wait to be sent (own choice).
const PIECE_BYTES: usize = 256 << 10;
const PIECES_MAX: usize = 4;
/// Bytes of a ledger that the emulator takes in a second, at least: then the largest comes within the ten
/// minutes that it gives one.
const SENT_BYTES_MIN: u64 = 5_000_000;

#[derive(Debug, Args)]
#[command(after_help = "\
A ledger is JSON, a line for each log or range of logs; `mock_log --ledger FILE` writes one:
  {\"run\":\"r\",\"source\":\"pod-1\",\"seq\":1,\"time\":UNIX_MS,\"line\":{\"bytes\":271,\"crc32\":N},\"values\":{…}}
  {\"run\":\"r\",\"source\":\"pod-1\",\"first\":2,\"last\":1000}
A log says which one it is by run=…&src=…&seq=… in its text, or in the fields that are named.

  mock-sls account -p demo -l access --ledger access.jsonl --exactly-once --within 60s
  mock-sls account -p demo -l access --ledger a.jsonl --ledger b.jsonl --loss-at-most 0 --duplicates-at-most 0.1%

Without a demand, it is exactly once. Exit codes: 0 as demanded, 1 not so, 2 wrong arguments or no ledger, 3 no
emulator answers, 4 the time is over and only a part is there.")]
pub struct Account {
    #[command(flatten)]
    server: Server,

    /// The project.
    #[arg(short, long)]
    project: String,

    /// The Logstore.
    #[arg(short, long)]
    logstore: String,

    /// A search that finds the logs; without it all count, and no index is needed.
    query: Option<String>,

    /// Only logs that came after this scope was made (`mock-sls scope`).
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,

    /// What was written; may be given several times.
    #[arg(long = "ledger", value_name = "FILE", required = true)]
    ledgers: Vec<PathBuf>,

    /// Every log came once and whole, and nothing else did.
    #[arg(long)]
    exactly_once: bool,

    /// Every log came, and whole.
    #[arg(long)]
    at_least_once: bool,

    /// No more than so many logs are missing.
    #[arg(long, value_name = "N")]
    loss_at_most: Option<u64>,

    /// No more than so many copies came, for example 10, or 0.1% of the logs.
    #[arg(long, value_name = "N|PERCENT")]
    duplicates_at_most: Option<String>,

    /// The logs of each source came in the order of their numbers.
    #[arg(long)]
    in_order: bool,

    /// Within what they must be in order.
    #[arg(long, value_enum, default_value_t)]
    order_within: Within,

    /// No log took longer, by its time in the ledger.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    late_after: Option<Duration>,

    /// 99 of 100 logs took less.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    latency_p99_below: Option<Duration>,

    /// Field or tag (__tag__:NAME) with the run.
    #[arg(long, value_name = "FIELD", requires = "seq_field")]
    run_field: Option<String>,

    /// Field or tag with the source.
    #[arg(long, value_name = "FIELD", requires = "seq_field")]
    source_field: Option<String>,

    /// Field with the number.
    #[arg(long, value_name = "FIELD", requires = "source_field")]
    seq_field: Option<String>,

    /// How long to wait until nothing is missing, for example 30s or 2m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    within: Duration,

    /// How long nothing more may come then.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    stable: Duration,

    /// How many logs of each kind are named.
    #[arg(long, value_name = "N")]
    listed: Option<usize>,

    /// How the verdict is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Within {
    /// As they came, over all shards.
    #[default]
    Logstore,
    /// Each shard by itself.
    Shard,
}

impl Account {
    fn asked(&self) -> AccountAsked {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        AccountAsked {
            project: self.project.clone(),
            logstore: self.logstore.clone(),
            query: self.query.clone(),
            scope: self.scope.clone(),
            within_ms: Some(ms(self.within)),
            stable_ms: Some(ms(self.stable)),
            exactly_once: Some(self.exactly_once),
            at_least_once: Some(self.at_least_once),
            loss_at_most: self.loss_at_most,
            duplicates_at_most: self.duplicates_at_most.clone(),
            in_order: Some(self.in_order),
            late_after_ms: self.late_after.map(ms),
            latency_p99_below_ms: self.latency_p99_below.map(ms),
            order_within: (self.order_within == Within::Shard).then_some(OrderWithin::Shard),
            run_field: self.run_field.clone(),
            source_field: self.source_field.clone(),
            seq_field: self.seq_field.clone(),
            listed_max: self.listed,
        }
    }
}

/// Asks and prints.
///
/// # Errors
/// [`call::CallError`], and if a ledger cannot be read or nothing can be printed.
pub fn run(account: &Account) -> anyhow::Result<ExitCode> {
    let asked = account.asked();
    let asking = ask(&account.server.endpoint, &asked, &account.ledgers);
    let verdict = call::run(asking).map_err(asked_wrongly)?;
    told::tell(&[verdict.into()], account.output)
}

/// Asks for an account with the ledgers in these files.
///
/// # Errors
/// [`call::CallError`], and if a ledger cannot be read.
pub async fn ask(
    emulator: &Emulator,
    asked: &AccountAsked,
    ledgers: &[PathBuf],
) -> anyhow::Result<AccountVerdict> {
    let mut files = Vec::with_capacity(ledgers.len());
    let mut bytes = 0;
    for path in ledgers {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = opened.map_err(|error| wrong(anyhow!("{}: {error}", path.display())))?;
        bytes += len;
        files.push((path.clone(), file));
    }
    let sending = Duration::from_secs(bytes / SENT_BYTES_MIN);
    Ok(emulator.account(asked, body(files), sending).await?)
}

/// The files one after the other, read beside the sending.
fn body(files: Vec<(PathBuf, File)>) -> LedgerBody {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        for (path, file) in files {
            let mut send = |piece| sender.blocking_send(Ok(Frame::data(piece))).is_ok();
            match read(&path, file, &mut send) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let error = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
                    // Whoever does not listen any more has an answer.
                    let _ = sender.blocking_send(Err(error));
                    return;
                }
            }
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(ReceiverStream::new(receiver)))
}

/// Sends the lines of a file; a last one that ends in the middle, as a killed writer leaves it, is told and left out,
/// since another file may follow. Says false when nobody takes them any more.
fn read(path: &Path, mut file: impl Read, send: &mut impl FnMut(Bytes) -> bool) -> io::Result<bool> {
    let mut rest = Vec::new();
    loop {
        let mut piece = std::mem::take(&mut rest);
        let before = piece.len();
        Read::by_ref(&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        let at_end = piece.len() == before;
        let lines = piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // A line that is too long goes as it is: the emulator says what is wrong with it.
        if !at_end && piece.len() - lines <= LINE_BYTES_MAX {
            rest = piece.split_off(lines);
        } else if at_end && !piece.is_empty() && !is_cut(&piece) {
            // Also what is no line of a ledger at all: the emulator says so.
            piece.push(b'\n');
        } else if at_end && piece.len() <= LINE_BYTES_MAX {
            if !piece.trim_ascii().is_empty() {
                eprintln!(
                    "mock-sls: {}: the last line ends in the middle and is not counted",
                    path.display()
                );
            }
            piece.clear();
        }
        if !piece.is_empty() && !send(Bytes::from(piece)) {
            return Ok(false);
        }
        if at_end {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> String {
        let mut sent = Vec::new();
        let mut send = |piece: Bytes| {
            sent.extend_from_slice(&piece);
            true
        };
        assert!(read(Path::new("ledger"), text.as_bytes(), &mut send).unwrap());
        String::from_utf8(sent).unwrap()
    }

    #[test]
    fn whole_lines_are_sent_and_the_last_gets_its_line_break_or_is_left_out() {
        let line = "{\"run\":\"r\",\"source\":\"s\",\"seq\":1}";
        assert_eq!(sent(""), "");
        assert_eq!(sent(&format!("{line}\n")), format!("{line}\n"));
        assert_eq!(sent(&format!("{line}\n{line}")), format!("{line}\n{line}\n"));
        assert_eq!(sent(&format!("{line}\n{}", &line[..9])), format!("{line}\n"));
        assert_eq!(sent("404: Not Found"), "404: Not Found\n");
        let many = format!("{line}\n").repeat(20_000);
        assert_eq!(sent(&many), many);
        let long = "x".repeat(LINE_BYTES_MAX * 3);
        assert_eq!(sent(&long), long);
    }
}
