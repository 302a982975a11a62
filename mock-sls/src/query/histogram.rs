//! GetHistograms: how many logs are found in each part of the queried time.

use std::ops::ControlFlow;

use sls_api::ops::logs::{Histogram, Histograms, Progress};

use super::{
    QueryError,
    log_view::LogView,
    matcher::{Options, Phrases},
    parse,
    request::Window,
    search::{Flow, Scan, Search, Taken, Visitor},
    source::{Block, Cancel, Indexes, LogSource, Order},
    statement::{self, Tail},
    summary::{RowSet, Summary},
};

/// Buckets when the caller does not say how wide they are. Guess: what the console shows.
const BUCKETS_WANTED: i64 = 60;
/// Buckets of an answer. Guess: bounds memory.
const BUCKETS_MAX: i64 = 10_000;
/// Widths to choose from, seconds; beyond them whole weeks.
const WIDTHS: [i64; 16] =
    [1, 5, 10, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800];
const WEEK: i64 = 604_800;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub struct HistogramRequest<'q> {
    /// Which log times.
    pub window: Window,
    /// Only this topic; empty for all.
    pub topic: &'q str,
    /// The search; SQL is not allowed.
    pub query: &'q str,
    /// Width of a bucket in seconds; 0 or less to choose one.
    pub interval: i64,
}

/// Counts the found logs per bucket. Phrases count as words in any order (document "Phrase search").
///
/// # Errors
/// The search is refused, or the logs cannot be read.
pub fn histograms(
    request: &HistogramRequest<'_>,
    indexes: Option<&Indexes>,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<Histograms, QueryError> {
    let indexes = indexes.ok_or(QueryError::IndexMissing)?;
    let statement = statement::split(request.query)?;
    if let Tail::Sql(_) = statement.tail {
        return Err(QueryError::SqlNotAllowed { operation: "GetHistograms" });
    }
    let expr = parse::parse(statement.search)?;
    let options = Options { phrases: Phrases::AsWords, ..Options::default() };
    let search = Search::new(&expr, indexes, options)?;
    let mut counter = Counter::new(&request.window, request.interval)?;
    let scan = Scan { window: request.window, topic: request.topic, order: Order::Any };
    search.run(source, &scan, cancel, &mut counter)?;
    Ok(counter.finish())
}

/// Even buckets from the first second on, the last one cut at the end of the window.
struct Counter {
    from: i64,
    end: i64,
    width: i64,
    counts: Vec<u64>,
}

impl Counter {
    fn new(window: &Window, interval: i64) -> Result<Self, QueryError> {
        let (from, end) = (window.from(), window.end());
        let length = end - from;
        let width = if interval > 0 { interval } else { chosen_width(length) };
        let count = ceiling(length, width);
        if count > BUCKETS_MAX {
            return Err(QueryError::TooManyBuckets { interval, count, max: BUCKETS_MAX });
        }
        Ok(Self { from, end, width, counts: vec![0; usize::try_from(count).unwrap_or_default()] })
    }

    fn finish(self) -> Histograms {
        let starts = (0..).map(|bucket: i64| self.from + bucket * self.width);
        let buckets: Vec<Histogram> = starts
            .zip(&self.counts)
            .map(|(from, &count)| Histogram {
                from,
                to: self.end.min(from.saturating_add(self.width)),
                count,
                progress: Progress::Complete,
            })
            .collect();
        Histograms { progress: Progress::Complete, count: self.counts.iter().sum(), buckets }
    }

    fn bucket(&self, time: u32) -> i64 {
        (i64::from(time) - self.from) / self.width
    }

    fn add(&mut self, time: u32, logs: u64) {
        let bucket = usize::try_from(self.bucket(time)).ok();
        if let Some(count) = bucket.and_then(|bucket| self.counts.get_mut(bucket)) {
            *count += logs;
        }
    }
}

impl Visitor for Counter {
    fn found_whole(&mut self, block: &Block) -> bool {
        let together = self.bucket(block.time_min) == self.bucket(block.time_max);
        if together {
            self.add(block.time_min, u64::from(block.log_count));
        }
        together
    }

    fn found_in(&mut self, _: &Block, summary: &Summary, rows: &RowSet) -> Taken {
        rows.iter().for_each(|row| self.add(summary.time(row), 1));
        ControlFlow::Continue(true)
    }

    fn found(&mut self, _: &Block, _: usize, log: &LogView<'_>) -> Flow {
        self.add(log.time, 1);
        ControlFlow::Continue(())
    }
}

fn chosen_width(length: i64) -> i64 {
    let fits = |&width: &i64| ceiling(length, width) <= BUCKETS_WANTED;
    WIDTHS.into_iter().find(fits).unwrap_or_else(|| ceiling(length, BUCKETS_WANTED * WEEK) * WEEK)
}

fn ceiling(length: i64, width: i64) -> i64 {
    length / width + i64::from(length % width != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_cover_the_window_without_gaps(from in 0i64..4_000_000_000, length in 1i64..4_000_000_000, interval in -1i64..100_000) {
            let window = Window::new(from, from + length, None, None).unwrap();
            let Ok(counter) = Counter::new(&window, interval) else { return Ok(()) };
            let buckets = counter.finish().buckets;
            prop_assert_eq!(buckets.first().map(|b| b.from), Some(from));
            prop_assert_eq!(buckets.last().map(|b| b.to), Some(from + length));
            prop_assert!(buckets.windows(2).all(|pair| pair[0].to == pair[1].from));
            prop_assert!(buckets.iter().all(|b| b.from < b.to));
            prop_assert!(interval > 0 || buckets.len() <= 60);
        }
    }

    #[test]
    fn too_many_buckets_are_refused() {
        let window = Window::new(0, 4_000_000_000, None, None).unwrap();
        assert!(matches!(Counter::new(&window, 1), Err(QueryError::TooManyBuckets { .. })));
    }
}
