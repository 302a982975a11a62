//! How files are read, where a config does not say it itself.

use std::num::NonZeroU64;
use std::time::Duration;

use super::Parameters;
use crate::engine::OLD_LOG_AGE;
use crate::lines::EVENT_BYTES_MAX;

/// Bounds of `max_bytes_per_sec`; above [`UNLIMITED_ABOVE`] there is no limit. Source: collector.md §1.6 for the
/// latter; the lowest value: own choice.
const BYTES_PER_SECOND: std::ops::RangeInclusive<u64> = 1024..=u64::MAX;
const UNLIMITED_ABOVE: u64 = 20 * 1024 * 1024;

/// Bounds of `max_read_buffer_size`. Source: the default is the vendor's and the longest text that a request is
/// made for (collector.md §1.6); the lowest value: own choice.
const EVENT_BYTES: std::ops::RangeInclusive<u64> = 1024..=EVENT_BYTES_MAX as u64;

/// Bounds of `default_tail_limit_kb`. Source: as `TailSizeKB` of configs.
const TAIL_KB: std::ops::RangeInclusive<u64> = 0..=100 * 1024 * 1024;

/// Bounds of `process_thread_count`. Source: own choice, the cores of a large node.
const THREADS: std::ops::RangeInclusive<u64> = 1..=64;

/// See the module; `None` is the default each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes read from files in a second.
    pub bytes_per_second: Option<NonZeroU64>,
    /// A longer event is sent in pieces.
    pub event_bytes_max: Option<usize>,
    /// Threads that compress what was read, the reader's among them.
    pub threads: Option<usize>,
    /// KiB before the end of an old file where reading begins, for configs that do not say it.
    pub tail_kb: Option<u64>,
    /// Logs whose time is longer ago are dropped (on by default in the vendor's agent, off here).
    pub discard_older_than: Option<Duration>,
}

impl Reading {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let limit = parameters.number("max_bytes_per_sec", BYTES_PER_SECOND);
        Self {
            bytes_per_second: limit.filter(|limit| *limit <= UNLIMITED_ABOVE).and_then(NonZeroU64::new),
            event_bytes_max: parameters
                .number("max_read_buffer_size", EVENT_BYTES)
                .and_then(|bytes| usize::try_from(bytes).ok()),
            threads: parameters.number("process_thread_count", THREADS).and_then(|n| usize::try_from(n).ok()),
            discard_older_than: parameters.switch("discard_old_data").then_some(OLD_LOG_AGE),
            tail_kb: parameters.number("default_tail_limit_kb", TAIL_KB),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance_config::InstanceConfig;

    fn reading(file: &str) -> (Reading, Vec<String>) {
        let path = std::path::Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
        let config = InstanceConfig::parse(path, Some(file.as_bytes()), &crate::env::Env::default()).unwrap();
        let notices = config.notices.into_iter().filter(|notice| notice.contains("max_")).collect();
        (config.reading, notices)
    }

    #[test]
    fn above_20_mib_a_second_there_is_no_limit() {
        let limit = |n: u64| reading(&format!(r#"{{"max_bytes_per_sec": {n}}}"#)).0.bytes_per_second;
        assert_eq!(limit(2_097_152), NonZeroU64::new(2_097_152), "the value of the vendor's older samples");
        assert_eq!(limit(20_971_520), NonZeroU64::new(20_971_520));
        assert_eq!(limit(20_971_521), None);
        assert_eq!(reading("{}").0, Reading::default());
    }

    #[test]
    fn old_logs_are_dropped_only_if_that_is_asked_for() {
        let age = |file: &str| reading(file).0.discard_older_than;
        assert_eq!(age("{}"), None);
        assert_eq!(age(r#"{"discard_old_data": false}"#), None);
        assert_eq!(age(r#"{"discard_old_data": "TRUE"}"#), Some(OLD_LOG_AGE));
        assert_eq!(age(r#"{"discard_old_data": 1}"#), None);
    }

    #[test]
    fn a_switch_that_is_neither_on_nor_off_says_who_gave_it_and_what_is_wanted() {
        let notices = |file: &str, variables: &[(&str, &str)]| {
            let path = std::path::Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
            let env = variables.iter().copied().collect();
            let config = InstanceConfig::parse(path, Some(file.as_bytes()), &env).unwrap();
            config
                .notices
                .into_iter()
                .filter(|notice| notice.contains("DISCARD") || notice.contains("discard"))
        };
        assert_eq!(
            notices(r#"{"discard_old_data": 1}"#, &[]).collect::<Vec<_>>(),
            ["discard_old_data must be true or false, not a number; false is used"]
        );
        assert_eq!(
            notices("{}", &[("LOONG_DISCARD_OLD_DATA", "yes")]).collect::<Vec<_>>(),
            ["environment variable LOONG_DISCARD_OLD_DATA must be true or false, not \"yes\"; false is used"]
        );
    }

    #[test]
    fn an_event_may_not_be_longer_than_a_request_takes() {
        let (of_file, notices) = reading(r#"{"max_read_buffer_size": 1048576}"#);
        assert_eq!(of_file.event_bytes_max, None);
        assert_eq!(
            notices,
            [
                "max_read_buffer_size must be a whole number from 1024 to 524288, not 1048576; the default is used"
            ]
        );
        assert_eq!(reading(r#"{"max_read_buffer_size": 65536}"#).0.event_bytes_max, Some(65536));
    }
}
