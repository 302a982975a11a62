use std::collections::BTreeSet;

use fastrand::Rng;
use proptest::prelude::*;
use sls_expect::account::{
    Accounting, Altered, Duplicate, DuplicateKind, Late, Numbers, Reordered, SourceAccount,
};

use super::stream::{LATE_AFTER_MS, RUN, Stream, id, id_span, name, text};

/// What happens to a log, or to two of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Drop,
    /// Its pack is sent again.
    Retry,
    /// It comes once more, in another pack.
    ReadTwice,
    /// It changes places with the next of its source.
    SwapNeighbours,
    /// It changes places with one that is not near.
    SwapDistant,
    Alter,
    Cut,
    /// It comes as the last of all and too late; it is the last of its source.
    DelayLast,
    /// So does one from the middle, which then is also out of order.
    Delay,
}

use Mutation::*;

const ALL: [Mutation; 9] =
    [Drop, Retry, ReadTwice, SwapNeighbours, SwapDistant, Alter, Cut, DelayLast, Delay];

/// How far apart distant ones are.
const DISTANT: std::ops::Range<u64> = 3..14;

fn one(source: usize, seq: u64) -> Numbers {
    Numbers { run: RUN.to_owned(), source: name(source), first: seq, last: seq }
}

/// Changes a stream at a log, and what is expected of it likewise.
fn mutate(
    random: &mut Rng,
    stream: &mut Stream,
    expected: &mut Accounting,
    what: Mutation,
    log: (usize, u64),
) {
    let (source, seq) = log;
    let at = stream.find(source, seq);
    match what {
        Drop => {
            stream.came.remove(at);
            expected.received -= 1;
            expected.unique -= 1;
            expected.missing.count += 1;
            expected.missing.listed.push(one(source, seq));
        }
        Retry | ReadTwice => {
            let mut copy = stream.came[at].clone();
            copy.group = stream.new_group();
            if what == ReadTwice {
                copy.pack = copy.group;
            }
            let behind = at + 1 + random.usize(0..50.min(stream.came.len() - at));
            stream.came.insert(behind, copy);
            let kind = if what == Retry { DuplicateKind::Retry } else { DuplicateKind::ReadTwice };
            expected.received += 1;
            expected.duplicates.count += 1;
            expected.duplicates.logs += 1;
            *match kind {
                DuplicateKind::Retry => &mut expected.duplicates.retries,
                DuplicateKind::ReadTwice => &mut expected.duplicates.read_twice,
            } += 1;
            expected.duplicates.listed.push(Duplicate { id: id(source, seq), times: 2, kind });
        }
        SwapNeighbours | SwapDistant => {
            let distance = if what == SwapNeighbours { 1 } else { random.u64(DISTANT) };
            let other = stream.find(source, seq + distance);
            stream.came[at].seq = seq + distance;
            stream.came[other].seq = seq;
            let mut moved = |seq, came_after| {
                expected.reordered.count += 1;
                expected.reordered.listed.push(Reordered { numbers: one(source, seq), came_after });
            };
            if what == SwapDistant {
                moved(seq + distance, (seq > 1).then(|| seq - 1));
                moved(seq, Some(seq + distance - 1));
            } else {
                moved(seq, Some(seq + 1));
            }
        }
        Alter => {
            let mut bytes = text(source, seq);
            let places: Vec<usize> = (0..bytes.len())
                .filter(|at| !id_span(source, seq).contains(at) && bytes[*at].is_ascii_digit())
                .collect();
            let place = places[random.usize(0..places.len())];
            bytes[place] ^= random.u8(1..8);
            expected.corrupted.count += 1;
            expected.corrupted.listed.push(altered(stream, source, seq, &bytes));
            stream.came[at].text = Some(bytes);
        }
        Cut => {
            let mut bytes = text(source, seq);
            // With a quotation mark behind the number: what ends with the number is taken for cut within it.
            bytes.truncate(random.usize(id_span(source, seq).end + 2..bytes.len() - 1));
            expected.truncated.count += 1;
            expected.truncated.listed.push(altered(stream, source, seq, &bytes));
            stream.came[at].text = Some(bytes);
        }
        DelayLast | Delay => {
            let mut log = stream.came.remove(at);
            log.group = stream.new_group();
            log.pack = log.group;
            log.received_ms += LATE_AFTER_MS;
            stream.came.push(log);
            expected.late.count += 1;
            let ms = LATE_AFTER_MS + 400;
            expected.late.listed.push(Late { id: id(source, seq), ms });
            if what == Delay {
                let came_after = Some(stream.last(source));
                expected.reordered.count += 1;
                expected.reordered.listed.push(Reordered { numbers: one(source, seq), came_after });
            }
        }
    }
}

fn altered(stream: &Stream, source: usize, seq: u64, got: &[u8]) -> Altered {
    Altered { id: id(source, seq), written: stream.check(&text(source, seq)), got: stream.check(got) }
}

/// Both with their lists in one order, and without what is tested by itself.
fn compare(got: Accounting, expected: Accounting) {
    let comparable = |mut accounting: Accounting| {
        let place = |source: &str, seq: u64| (source.to_owned(), seq);
        accounting.missing.listed.sort_by_key(|log| place(&log.source, log.first));
        accounting.duplicates.listed.sort_by_key(|log| place(&log.id.source, log.id.seq));
        accounting.reordered.listed.sort_by_key(|log| place(&log.numbers.source, log.numbers.first));
        accounting.corrupted.listed.sort_by_key(|log| place(&log.id.source, log.id.seq));
        accounting.truncated.listed.sort_by_key(|log| place(&log.id.source, log.id.seq));
        accounting.late.listed.sort_by_key(|log| place(&log.id.source, log.id.seq));
        Accounting { latency: None, per_source: Default::default(), ..accounting }
    };
    sources_add_up(&got);
    assert_eq!(comparable(got), comparable(expected));
}

fn sources_add_up(got: &Accounting) {
    let sum = |f: fn(&SourceAccount) -> u64| got.per_source.listed.iter().map(f).sum::<u64>();
    assert_eq!(sum(|source| source.sent), got.sent);
    assert_eq!(sum(|source| source.received), got.received - got.unexpected.count - got.unidentified.count);
    assert_eq!(sum(|source| source.unique), got.unique);
    assert_eq!(sum(|source| source.missing), got.missing.count);
    assert_eq!(sum(|source| source.duplicates), got.duplicates.count);
    assert_eq!(sum(|source| source.reordered), got.reordered.count);
    assert_eq!(sum(|source| source.corrupted), got.corrupted.count);
    assert_eq!(sum(|source| source.truncated), got.truncated.count);
    assert_eq!(sum(|source| source.late), got.late.count);
}

#[test]
fn of_a_hundred_thousand_logs_the_one_that_is_wrong_is_found_and_named_and_no_other() {
    let mut random = Rng::with_seed(7);
    let clean = Stream::new(&mut random, 3, 100_000);
    for what in ALL {
        let mut stream = clean.clone();
        let mut expected = stream.expected();
        let source = random.usize(0..3);
        let last = stream.last(source);
        let seq = if what == DelayLast { last } else { random.u64(1..last - DISTANT.end) };
        mutate(&mut random, &mut stream, &mut expected, what, (source, seq));
        let got = stream.account();
        let judged = match what {
            SwapNeighbours | SwapDistant => got.in_order_per_source(),
            DelayLast | Delay => got.in_time(),
            _ => got.exactly_once(),
        };
        assert_eq!(judged.map_err(|wrong| wrong.len()), Err(1), "{what:?}: {}", got.text());
        compare(got, expected);
    }
}

#[test]
fn all_at_once_are_found_too() {
    let mut random = Rng::with_seed(8);
    let mut stream = Stream::new(&mut random, 3, 20_000);
    let mut expected = stream.expected();
    for (number, what) in (1..).zip(ALL) {
        let seq = if what == DelayLast { stream.last(1) } else { number * 400 };
        mutate(&mut random, &mut stream, &mut expected, what, (if what == Delay { 2 } else { 1 }, seq));
    }
    compare(stream.account(), expected);
}

#[test]
fn a_pack_that_is_sent_again_is_a_retry_of_each_of_its_logs() {
    let mut stream = Stream::new(&mut Rng::with_seed(9), 2, 5_000);
    let pack = stream.came[2_500].pack;
    let mut again: Vec<_> = stream.came.iter().filter(|log| log.pack == pack).cloned().collect();
    let logs = again.len() as u64;
    let group = stream.new_group();
    again.iter_mut().for_each(|log| log.group = group);
    stream.came.extend(again);
    let got = stream.account();
    let duplicates = &got.duplicates;
    assert_eq!([duplicates.count, duplicates.logs, duplicates.retries], [logs; 3]);
    assert_eq!((duplicates.read_twice, got.reordered.count, got.missing.count), (0, 0, 0));
}

#[test]
fn a_log_whose_identity_is_damaged_is_missing_and_something_is_there_that_should_not_be() {
    let mut random = Rng::with_seed(10);
    for _ in 0..200 {
        let mut stream = Stream::new(&mut random, 2, 300);
        let at = random.usize(0..300);
        let (source, seq) = (stream.came[at].source, stream.came[at].seq);
        let span = id_span(source, seq);
        let place = random.usize(span);
        let mut bytes = text(source, seq);
        if random.bool() {
            bytes.truncate(place + 1);
        } else {
            bytes[place] ^= 1 << random.u64(0..7);
        }
        stream.came[at].text = Some(bytes);
        let got = stream.account();
        assert_eq!(got.missing.listed, [one(source, seq)]);
        // A number that became another is one that came twice, once with other contents.
        let altered = got.corrupted.count + got.truncated.count;
        let strange = got.unexpected.count + got.unidentified.count + altered;
        assert_eq!(strange, 1, "{}", got.text());
        assert!(got.exactly_once().is_err());
        sources_add_up(&got);
    }
}

/// Numbers that no mutation of another reaches.
const APART: u64 = 30;

proptest! {
    #[test]
    fn any_mutations_of_any_logs_are_found_and_nothing_else(
        seed in any::<u64>(),
        sources in 1..4_usize,
        logs in 200..800_usize,
        wanted in prop::collection::vec((prop::sample::select(&ALL[..]), any::<prop::sample::Index>()), 1..12)
    ) {
        let mut random = Rng::with_seed(seed);
        let mut stream = Stream::new(&mut random, sources, logs);
        let mut expected = stream.expected();
        let last: Vec<u64> = (0..sources).map(|source| stream.last(source)).collect();
        // Where there is room for one mutation each, and what was done already.
        let places: Vec<(usize, u64)> = (0..sources)
            .flat_map(|source| (0..last[source].saturating_sub(APART) / APART).map(move |n| (source, n * APART + APART / 4)))
            .collect();
        prop_assume!(!places.is_empty());
        let mut used = BTreeSet::new();
        let mut delayed = BTreeSet::new();
        for (what, at) in wanted {
            let (source, seq) = places[at.index(places.len())];
            // Only one comes last of its source, and where one did, none of it follows.
            let seq = if what == DelayLast { last[source] } else { seq };
            let once = !matches!(what, Delay | DelayLast) || delayed.insert(source);
            if once && used.insert((source, seq)) {
                mutate(&mut random, &mut stream, &mut expected, what, (source, seq));
            }
        }
        compare(stream.account(), expected);
    }
}
