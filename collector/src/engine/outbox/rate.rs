//! How fast the logs of each Logstore may be sent: `max_send_rate` of its configs. Pure.
//!
//! What is handed over counts, in bytes before compression, as in the vendor's agent (`LogstoreSenderQueue` of
//! Logtail 1.1). Nothing is taken out of its turn for it: a Logstore without a share has no room, so that its files
//! are not read on. A request may be larger than the share that is left; the next one waits the longer. Of several
//! configs for one Logstore the lowest rate counts; which one does there is chance.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use crate::engine::pace::Pace;
use crate::pipeline::Destination;

/// At most so many bytes in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub bytes_per_second: NonZeroU64,
    /// When it ends; `None`: never.
    pub until: Option<Instant>,
}

/// The limits of all Logstores that have any.
#[derive(Debug, Default)]
pub struct Rates(Vec<Rate>);

#[derive(Debug)]
struct Rate {
    destination: Destination,
    limits: Vec<Limit>,
    pace: Pace,
}

impl Rate {
    fn is_of(&self, destination: &Destination) -> bool {
        let Destination { project, logstore, .. } = &self.destination;
        *project == destination.project && *logstore == destination.logstore
    }
}

impl Rates {
    /// Exactly these limits hold from now on; what was sent under those that hold already goes on to count.
    pub fn set<'d>(&mut self, limits: impl IntoIterator<Item = (&'d Destination, Limit)>, now: Instant) {
        for rate in &mut self.0 {
            rate.limits.clear();
        }
        for (destination, limit) in limits {
            match self.0.iter_mut().find(|rate| rate.is_of(destination)) {
                Some(rate) => rate.limits.push(limit),
                None => self.0.push(Rate {
                    destination: destination.clone(),
                    limits: vec![limit],
                    pace: Pace::new(None),
                }),
            }
        }
        self.advance(now);
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Instant) {
        self.0.retain_mut(|rate| {
            rate.limits.retain(|limit| limit.until.is_none_or(|until| now < until));
            let lowest = rate.limits.iter().map(|limit| limit.bytes_per_second).min();
            rate.pace.advance(now); // what has passed was at the rate until now
            rate.pace.set_rate(lowest);
            rate.pace.advance(now); // a new one begins with what may go at once
            lowest.is_some()
        });
    }

    /// So many bytes were handed over.
    pub fn spend(&mut self, destination: &Destination, bytes: usize) {
        if let Some(rate) = self.0.iter_mut().find(|rate| rate.is_of(destination)) {
            rate.pace.spend(bytes);
        }
    }

    /// Time until something may be sent, from the moment of the last [`Self::advance`]; `None`: now.
    pub fn wait(&self, destination: &Destination) -> Option<Duration> {
        self.0.iter().find(|rate| rate.is_of(destination)).and_then(|rate| rate.pace.wait())
    }

    /// The first moment at which a limit ends.
    pub fn next_end(&self) -> Option<Instant> {
        self.0.iter().flat_map(|rate| &rate.limits).filter_map(|limit| limit.until).min()
    }
}

#[cfg(test)]
mod tests {
    use sls_api::codec::Compression;

    use super::*;

    fn to(logstore: &str, compression: Compression) -> Destination {
        Destination {
            project: "project".parse().expect("a project"),
            logstore: logstore.parse().expect("a Logstore"),
            region: "r".to_owned(),
            endpoint: None,
            compression,
        }
    }

    fn limit(bytes_per_second: u64, until: Option<Instant>) -> Limit {
        Limit { bytes_per_second: NonZeroU64::new(bytes_per_second).expect("a rate"), until }
    }

    #[test]
    fn a_limit_is_about_one_logstore_however_it_is_sent_to() {
        let now = Instant::now();
        let (one, packed, other) =
            (to("one", Compression::None), to("one", Compression::Lz4), to("two", Compression::None));
        let mut rates = Rates::default();
        rates.set([(&one, limit(1_000, None))], now);
        assert_eq!((rates.wait(&one), rates.wait(&other)), (None, None));
        rates.spend(&packed, 2_250);
        assert!(rates.wait(&one).is_some_and(|wait| wait >= Duration::from_secs(2)));
        assert_eq!(rates.wait(&other), None);
        rates.advance(now + Duration::from_secs(3));
        assert_eq!(rates.wait(&packed), None);
    }

    #[test]
    fn the_lowest_of_several_counts_until_it_ends() {
        let now = Instant::now();
        let store = to("one", Compression::None);
        let until = now + Duration::from_secs(10);
        let mut rates = Rates::default();
        rates.set([(&store, limit(1_000_000, None)), (&store, limit(1_000, Some(until)))], now);
        assert_eq!(rates.next_end(), Some(until));
        rates.spend(&store, 1_000_000);
        assert!(rates.wait(&store).is_some_and(|wait| wait > Duration::from_secs(900)));
        rates.advance(until);
        assert!(rates.wait(&store).is_some_and(|wait| wait < Duration::from_secs(2)), "at the other's rate");
        rates.advance(until + Duration::from_secs(2));
        assert_eq!((rates.wait(&store), rates.next_end()), (None, None));
    }

    #[test]
    fn the_same_limits_again_give_no_second_share() {
        let now = Instant::now();
        let store = to("one", Compression::None);
        let mut rates = Rates::default();
        for _ in 0..3 {
            rates.set([(&store, limit(1_000, None))], now);
            rates.spend(&store, 10_000);
        }
        assert!(rates.wait(&store).is_some_and(|wait| wait > Duration::from_secs(29)));
        rates.set([], now);
        assert_eq!(rates.wait(&store), None);
    }
}
