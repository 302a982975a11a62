//! Ledgers and what is held against them: up to an empty line a ledger, behind that logs, a line each.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use sls_expect::account::{Accountant, Arrival, Options};
use sls_expect::ledger::LedgerParser;

/// Logs of a ledger: few enough to be fast.
const ENTRIES_MAX: u64 = 10_000;

fuzz_target!(|data: &[u8]| -> Corpus {
    let end = data.windows(2).position(|pair| pair == b"\n\n").map_or(data.len(), |at| at + 1);
    let (text, logs) = data.split_at(end);
    let parse = |pieces: [&[u8]; 2]| {
        let mut parser = LedgerParser::new(ENTRIES_MAX);
        for piece in pieces {
            parser.push(piece)?;
        }
        parser.finish()
    };
    // Wherever it is cut, it is the same ledger or refused; which of two faults is told first may differ.
    let (first, second) = text.split_at(text.len() / 2);
    let (whole, pieces) = (parse([text, b""]), parse([first, second]));
    assert_eq!(whole.is_ok(), pieces.is_ok());
    let (Ok(ledger), Ok(pieces)) = (whole, pieces) else { return Corpus::Keep };
    assert_eq!((ledger.entries(), ledger.cut_line()), (pieces.entries(), pieces.cut_line()));
    let entries = ledger.sources().iter().map(|source| u64::from(source.entries())).sum::<u64>();
    assert_eq!(entries, ledger.entries());

    let mut accountant = Accountant::new(ledger, Options::default()).expect("nothing else is asked");
    let mut came = 0;
    for (number, log) in (0_u32..).zip(logs.split(|byte| *byte == b'\n')) {
        let words: Vec<_> = log.split(|byte| *byte == b'\t').map(|word| (b"key".as_slice(), word)).collect();
        let arrival = Arrival { bytes_crc32: Some(number / 2), shard: number % 3, ..Arrival::default() };
        accountant.add_group(arrival, [words]);
        came += 1;
    }
    let missing = accountant.missing();
    let accounting = accountant.finish();
    assert_eq!((accounting.received, accounting.missing.count), (came, missing));
    assert_eq!(accounting.unique + accounting.missing.count, accounting.sent);
    let strange = accounting.unexpected.count + accounting.unidentified.count;
    assert_eq!(accounting.unique + accounting.duplicates.count + strange, accounting.received);
    assert!(accounting.reordered.count <= accounting.unique);
    assert!(!accounting.text().is_empty());
    Corpus::Keep
});
