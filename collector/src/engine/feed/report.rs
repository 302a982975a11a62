//! What is told of one block: counters, alarms, and a message about what does not parse.

use std::time::Duration;

use tracing::warn;

use super::Feeder;
use crate::alarm::Alarm;
use crate::engine::status::Trouble;
use crate::metrics::Counter;
use crate::pipeline::{Parse, Unmatched};

/// Bytes of an event that a message shows.
const SAMPLE_BYTES_MAX: usize = 200;
/// Events that do not match are reported, with a sample, at most this often for each pipeline.
const PARSE_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// What happened in one block, for the counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) unmatched: u64,
    pub(super) bad_times: u64,
    pub(super) cut: u64,
    pub(super) strays: u64,
    pub(super) filtered: u64,
    pub(super) old: u64,
    pub(super) outdated: u64,
    pub(super) damaged: u64,
    pub(super) nul_bytes: u64,
    pub(super) unmatched_sample: Option<String>,
    pub(super) bad_time_sample: Option<String>,
}

impl Tally {
    /// What happened in the part that follows is added.
    pub(super) fn absorb(&mut self, next: Self) {
        let Self { events, unmatched, bad_times, cut, strays, filtered, .. } = next;
        let Self { old, outdated, damaged, nul_bytes, unmatched_sample, bad_time_sample, .. } = next;
        self.events += events;
        self.unmatched += unmatched;
        self.bad_times += bad_times;
        self.cut += cut;
        self.strays += strays;
        self.filtered += filtered;
        self.old += old;
        self.outdated += outdated;
        self.damaged += damaged;
        self.nul_bytes += nul_bytes;
        self.unmatched_sample = self.unmatched_sample.take().or(unmatched_sample);
        self.bad_time_sample = self.bad_time_sample.take().or(bad_time_sample);
    }
}

impl Feeder<'_> {
    pub(super) fn report(&mut self, new: usize) {
        let board = &self.running.board;
        let tally = &self.tally;
        let counters = &board.counters;
        counters.add(Counter::BytesRead, new as u64);
        for (counter, n) in [
            (Counter::Events, tally.events),
            (Counter::Unmatched, tally.unmatched),
            (Counter::TimeFailures, tally.bad_times),
            (Counter::Cut, tally.cut),
            (Counter::Strays, tally.strays),
            (Counter::Filtered, tally.filtered),
            (Counter::Old, tally.old),
            (Counter::Outdated, tally.outdated),
            (Counter::Damaged, tally.damaged),
            (Counter::NulBytes, tally.nul_bytes),
        ] {
            if n > 0 {
                counters.add(counter, n);
            }
        }
        self.add_readings(new);
        self.raise_alarms();
        self.report_parsing();
    }

    fn add_readings(&mut self, new: usize) {
        let Tally { events, unmatched, bad_times, outdated, unmatched_sample, .. } = &self.tally;
        let readings = &mut self.file.readings;
        readings.bytes += new as u64;
        readings.matched += events - unmatched;
        readings.unmatched += unmatched;
        if matches!(self.running.config.parse, Parse::Regex { .. }) {
            readings.not_of_regex += unmatched;
        }
        readings.bad_times += bad_times;
        readings.outdated += outdated;
        if readings.sample.is_none() {
            readings.sample.clone_from(unmatched_sample);
        }
    }

    fn raise_alarms(&self) {
        let Tally { unmatched, bad_times, cut, strays, old, outdated, damaged, .. } = self.tally;
        if unmatched + bad_times + cut + strays + old + outdated + damaged == 0 {
            return;
        }
        let raise = |count: u64, alarm: Alarm, cause: &'static str, message: &dyn Fn() -> String| {
            if count > 0 {
                self.alarms.raise(alarm, cause, &self.running.subject, count, message);
            }
        };
        let path = self.file.at.shown.display();
        let unmatched_alarm = match self.running.config.parse {
            Parse::Simple { .. } | Parse::Regex { .. } => Alarm::RegexMatch,
            Parse::Json | Parse::Delimiter(_) | Parse::Apsara { .. } => Alarm::ParseLogFail,
        };
        raise(unmatched, unmatched_alarm, "", &|| self.unmatched_text().unwrap_or_default());
        raise(bad_times, Alarm::ParseTimeFail, "", &|| self.bad_time_text().unwrap_or_default());
        raise(cut, Alarm::SplitLogFail, "long", &|| {
            format!(
                "events of {path} are longer than {} bytes; they are sent in pieces",
                self.limits.event_bytes_max
            )
        });
        raise(strays, Alarm::SplitLogFail, "stray", &|| {
            let fate = match self.running.splitter.discards_strays {
                true => "dropped (UnmatchedContentTreatment)",
                false => "sent alone",
            };
            format!("lines of {path} belong to no multi-line record; they are {fate}")
        });
        raise(outdated, Alarm::OutdatedLog, "dropped", &|| self.outdated_text());
        raise(old.saturating_sub(outdated), Alarm::OutdatedLog, "", &|| {
            let hours = self.limits.old_log_age.as_secs() / 3600;
            format!("logs of {path} say a time more than {hours} hours ago; they are sent")
        });
        raise(damaged, Alarm::EncodingConvert, "", &|| {
            let encoding = self.running.config.input.encoding;
            format!(
                "events of {path} are not all {encoding:?}; what is none of its characters is replaced by U+FFFD"
            )
        });
    }

    fn report_parsing(&mut self) {
        let has_problem = self.tally.unmatched_sample.is_some()
            || self.tally.bad_time_sample.is_some()
            || self.tally.outdated > 0;
        if self.running.parse_report_at.is_some_and(|at| self.now.mono < at) {
            return;
        }
        if !has_problem {
            if self.tally.events > 0 && self.running.parse_report_at.take().is_some() {
                self.running.board.set_trouble(Trouble::Parsing, None);
            }
            return;
        }
        let problem =
            self.unmatched_text().or_else(|| self.bad_time_text()).unwrap_or_else(|| self.outdated_text());
        warn!(pipeline = self.running.config.name, problem, "parsing");
        self.running.board.set_trouble(Trouble::Parsing, Some(problem));
        self.running.parse_report_at = Some(self.now.mono + PARSE_REPORT_INTERVAL);
    }

    fn unmatched_text(&self) -> Option<String> {
        let sample = self.tally.unmatched_sample.as_ref()?;
        let path = self.file.at.shown.display();
        let fate = match self.running.config.unmatched {
            Unmatched::KeepRaw => "sent in __raw_log__",
            Unmatched::Discard => "dropped, because discardUnmatch is true",
        };
        let parser = match self.running.config.parse {
            Parse::Simple { .. } | Parse::Regex { .. } => "the regex does not match lines",
            Parse::Json => "JSON mode finds no JSON object in lines",
            Parse::Delimiter(_) => "columns or quotes are not as configured in lines",
            Parse::Apsara { .. } => "apsara mode finds no time in brackets at the beginning of lines",
        };
        Some(format!("{parser} of {path}; they are {fate}; one of them: {sample}"))
    }

    fn bad_time_text(&self) -> Option<String> {
        let sample = self.tally.bad_time_sample.as_ref()?;
        let path = self.file.at.shown.display();
        Some(format!(
            "timeFormat does not fit times in {path}; those logs carry the time of collection; \
             one of the times: {sample}"
        ))
    }

    fn outdated_text(&self) -> String {
        let path = self.file.at.shown.display();
        format!("old logs of {path} are dropped, because discard_old_data is true in this collector")
    }
}

pub(super) fn sample(text: &[u8]) -> String {
    let shown = text.get(..SAMPLE_BYTES_MAX).unwrap_or(text);
    format!("{:?}", String::from_utf8_lossy(shown))
}
