//! Queries: search and SQL over the logs of `fixtures/query-cases.json`. As many logs must be found as are
//! counted, they must be found again from what the first query kept of the blocks, a search that is printed and
//! parsed again must be the same, and a query that nobody waits for any more must end.

#![no_main]

use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use fuzz::print;
use fuzz::stored::stored;
use jiff::Timestamp;
use libfuzzer_sys::{Corpus, fuzz_target};
use mock_sls::SqlSettings;
use mock_sls::fuzzing::histogram::{HistogramRequest, histograms};
use mock_sls::fuzzing::parse::parse;
use mock_sls::fuzzing::request::{LINES_MAX, Page, Window};
use mock_sls::fuzzing::run::{LogsRequest, run};
use mock_sls::fuzzing::source::Cancel;
use mock_sls::fuzzing::testing::{Bed, START};

/// After this, nobody waits for the query any more. libFuzzer's own limit is well above.
const PATIENCE: Duration = Duration::from_millis(500);

static STORED: LazyLock<Bed> = LazyLock::new(stored);
static SETTINGS: LazyLock<SqlSettings> = LazyLock::new(SqlSettings::default);

fuzz_target!(|query: &str| -> Corpus {
    if let Ok(expr) = parse(query) {
        let printed = print::search(&expr);
        assert_eq!(parse(&printed), Ok(expr), "{printed}");
    }
    let (from, to) = (i64::from(START), i64::from(START) + 3600);
    let window = Window::new(from, to, None, None).expect("a window");
    let page = Page { offset: 0, lines: LINES_MAX, reverse: false };
    let now = Timestamp::from_second(to).expect("a time");
    let request = LogsRequest { window, page, logstore: "store", now, settings: &SETTINGS, topic: "", query };
    let mut stored = STORED.clone();
    let indexes = STORED.indexes.as_ref();
    let found = patiently(|cancel| run(&request, indexes, &mut stored, cancel));
    // What follows a pipe may roll dice, and is not counted.
    if let (Ok(found), false) = (&found, query.contains('|')) {
        let again = patiently(|cancel| run(&request, indexes, &mut stored, cancel));
        assert_eq!(again.map(|again| again.data).as_ref(), Ok(&found.data));
        let histogram = HistogramRequest { window, topic: "", query, interval: 0 };
        let counted = histograms(&histogram, indexes, &mut stored, &Cancel::default());
        let counted: u64 = counted.expect("a search").buckets.iter().map(|bucket| bucket.count).sum();
        // Phrases are counted as words.
        let phrases = found.meta.mode == 1;
        assert!(phrases || found.meta.count == counted, "{} found, {counted} counted", found.meta.count);
    }
    Corpus::Keep
});

/// Runs a query, which is to stop when it takes too long.
fn patiently<T>(query: impl FnOnce(&Cancel) -> T) -> T {
    let cancel = Cancel::default();
    let (done, waits) = channel::<()>();
    let late = cancel.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waits.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                late.cancel();
            }
        });
        let outcome = query(&cancel);
        drop(done);
        outcome
    })
}
