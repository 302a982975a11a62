//! Counters of the data path, named once.
//!
//! Written by `engine` and `ship`, read through `Engine::status` by whoever reports them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal),* $(,)?) => {
        /// One counter of a pipeline.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Counter { $($(#[doc = $doc])* $name),* }

        impl Counter {
            /// All counters, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Name in metrics and messages.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

counters! {
    /// Bytes read from files.
    BytesRead = "read_bytes",
    /// Events found in them.
    Events = "events",
    /// Logs in requests that the server acknowledged.
    LogsSent = "logs_sent",
    /// Encoded bytes of those requests before compression.
    BytesSent = "sent_bytes",
    /// Events that the parser did not match (dropped or sent raw, as the config says).
    Unmatched = "unmatched_events",
    /// Events whose time could not be read; they carry the time of collection.
    TimeFailures = "time_parse_failures",
    /// Parts of events that go on in the next one, because the whole was too long.
    Cut = "cut_events",
    /// Lines, whatever their length, that are part of no multi-line record (dropped or sent alone, as the
    /// config says).
    Strays = "multiline_unmatched_lines",
    /// NUL bytes left out (a hole left by a truncation without O_APPEND).
    NulBytes = "nul_bytes_skipped",
    /// Events that a filter of the config held back.
    Filtered = "filtered_events",
    /// Events that say a time more than 12 hours ago; sent unless `discard_old_data` asks for the contrary.
    Old = "old_events",
    /// Events dropped because they are old, where `discard_old_data` asks for it.
    Outdated = "outdated_events",
    /// Events with bytes that are no text of the config's encoding.
    Damaged = "undecodable_events",
    /// Logs that the server refused for good.
    LogsDropped = "logs_dropped",
    /// Truncations and overwrites noticed.
    Truncations = "truncations",
    /// Bytes not read because the file was old when first seen (see `tail_bytes`).
    SkippedBytes = "old_bytes_skipped",
}

/// The counters of one pipeline.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; Counter::ALL.len()]);

impl Counters {
    pub fn add(&self, counter: Counter, n: u64) {
        if let Some(value) = self.0.get(counter as usize) {
            value.fetch_add(n, Ordering::Relaxed);
        }
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).map_or(0, |value| value.load(Ordering::Relaxed))
    }
}
