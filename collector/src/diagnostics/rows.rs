//! What is in the logs of each topic. Pure. Fields: collector.md §4.1; those of them that mean nothing here are left
//! out (docs/collector.md lists them), for a value that was made up would be taken for true.

use std::time::SystemTime;

use serde_json::Value;

use crate::alarm::Raised;
use crate::app_info::VERSION;
use crate::engine::profile::{FileProfile, Readings, StoreProfile};

/// The fields of one log, but for those that all have.
pub type Row = Vec<(&'static str, String)>;

/// `file_name` of what is about a Logstore.
const STATISTICS: &str = "logstore_statistics";

/// Fields of the status: all of its line but the time, which each log has.
const STATUS_FIELDS: [&str; 14] = [
    "cpu",
    "detail_metric",
    "hostname",
    "instance_id",
    "ip",
    "load",
    "memory",
    "os",
    "os_cpu",
    "os_detail",
    "user",
    "user_defined_id",
    "uuid",
    "version",
];

pub fn alarm(raised: &Raised) -> Row {
    let Raised { kind, message, count } = raised;
    let mut row = vec![
        ("alarm_type", kind.alarm.name().to_owned()),
        ("alarm_level", (kind.alarm.level() as u8).to_string()),
        ("alarm_message", message.clone()),
        ("alarm_count", count.to_string()),
    ];
    let subject = &kind.subject;
    for (key, value) in
        [("project", &subject.project), ("logstore", &subject.logstore), ("config", &subject.config)]
    {
        if !value.is_empty() {
            row.push((key, value.clone()));
        }
    }
    row
}

pub fn file(file: &FileProfile) -> Row {
    let subject = &file.subject;
    let mut row = vec![
        ("config_name", format!("##1.0##{}${}", subject.project, subject.config)),
        ("file_dev", file.identity.dev.to_string()),
        ("file_inode", file.identity.inode.to_string()),
        ("file_name", file.path.display().to_string()),
        ("file_size", file.size.to_string()),
        ("last_read_time", seconds(file.read_at)),
        ("logstore", subject.logstore.clone()),
        ("logtail_version", VERSION.to_owned()),
        ("project", subject.project.clone()),
        ("read_offset", file.position.to_string()),
    ];
    add_readings(&mut row, &file.readings);
    // Ours. Numbers under fixed names are always JSON.
    row.push(("account_bytes", serde_json::to_string(&file.account).unwrap_or_default()));
    row
}

pub fn store(store: &StoreProfile) -> Row {
    let sending = &store.sending;
    let mut row = vec![
        ("file_name", STATISTICS.to_owned()),
        ("logstore", store.logstore.clone()),
        ("logtail_version", VERSION.to_owned()),
        ("project", store.project.clone()),
        ("send_block_flag", store.is_blocked.to_string()),
        ("send_discard_error", sending.discarded.to_string()),
        ("send_network_error", sending.network_errors.to_string()),
        ("send_queue_size", store.unsent.to_string()),
        ("send_quota_error", sending.quota_errors.to_string()),
        ("send_success_count", sending.succeeded.to_string()),
        ("sender_valid_flag", (!sending.is_failing).to_string()),
    ];
    if let Some(at) = store.succeeded_at {
        row.push(("max_send_success_time", seconds(at)));
    }
    if let Some((first, last)) = store.unsent_since {
        row.push(("min_unsend_time", seconds(first)));
        row.push(("max_unsend_time", seconds(last)));
    }
    add_readings(&mut row, &store.readings);
    row
}

fn add_readings(row: &mut Row, readings: &Readings) {
    let numbers = [
        ("history_data_failures", readings.outdated),
        ("parse_failures", readings.unmatched),
        ("read_avg_delay", readings.mean_behind()),
        ("read_count", readings.reads),
        ("regex_match_failures", readings.not_of_regex),
        ("send_failures", readings.refused),
        ("succeed_lines", readings.matched),
        ("time_format_failures", readings.bad_times),
        ("total_bytes", readings.bytes),
    ];
    row.extend(numbers.map(|(key, number)| (key, number.to_string())));
    if let Some(sample) = &readings.sample {
        row.push(("error_line", sample.clone()));
    }
}

/// The line of the status as fields.
pub fn status(line: &Value) -> Row {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    STATUS_FIELDS.iter().filter_map(|key| Some((*key, text(line.get(key)?)))).collect()
}

fn seconds(at: SystemTime) -> String {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::alarm::{Alarm, Kind, Subject};
    use crate::engine::books::Bytes;
    use crate::engine::profile::Sending;
    use crate::tail::FileIdentity;

    fn check(row: &Row, expected: Expect) {
        let lines = row.iter().map(|(key, value)| format!("{key}={}\n", value.replace(VERSION, "VERSION")));
        expected.assert_eq(&lines.collect::<String>());
    }

    fn subject() -> Arc<Subject> {
        let text = str::to_owned;
        Arc::new(Subject { project: text("demo"), logstore: text("access"), config: text("nginx") })
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn an_alarm_says_what_it_is_about_as_far_as_that_is_known() {
        let kind = Kind { alarm: Alarm::RegexMatch, cause: "", subject: subject() };
        check(
            &alarm(&Raised { kind: kind.clone(), message: "a sample".into(), count: 7 }),
            expect![[r#"
                alarm_type=REGEX_MATCH_ALARM
                alarm_level=2
                alarm_message=a sample
                alarm_count=7
                project=demo
                logstore=access
                config=nginx
            "#]],
        );
        let of_all = Kind { alarm: Alarm::Checkpoint, subject: Arc::default(), ..kind };
        assert_eq!(alarm(&Raised { kind: of_all, message: String::new(), count: 1 }).len(), 4);
    }

    #[test]
    fn a_file_has_its_numbers_and_a_sample_only_if_there_is_one() {
        let readings = Readings { reads: 4, bytes: 1000, matched: 9, behind: 401, ..Readings::default() };
        let mut profile = FileProfile {
            subject: subject(),
            path: PathBuf::from("/var/log/a.log"),
            identity: FileIdentity { dev: 1, inode: 2 },
            size: 2000,
            position: 1900,
            read_at: at(1_700_000_000),
            readings,
            account: Bytes { discovered: 2000, acknowledged: 1900, unread: 100, ..Bytes::default() },
        };
        check(
            &file(&profile),
            expect![[r#"
                config_name=##1.0##demo$nginx
                file_dev=1
                file_inode=2
                file_name=/var/log/a.log
                file_size=2000
                last_read_time=1700000000
                logstore=access
                logtail_version=VERSION
                project=demo
                read_offset=1900
                history_data_failures=0
                parse_failures=0
                read_avg_delay=100
                read_count=4
                regex_match_failures=0
                send_failures=0
                succeed_lines=9
                time_format_failures=0
                total_bytes=1000
                account_bytes={"discovered":2000,"acknowledged":1900,"refused":0,"dropped":0,"filtered":0,"skipped":{"old":0,"delivered_before":0,"config_removed":0},"unacknowledged":0,"unread":100}
            "#]],
        );
        profile.readings.sample = Some("bad".into());
        assert!(file(&profile).contains(&("error_line", "bad".to_owned())));
    }

    #[test]
    fn a_logstore_has_times_only_of_what_happened() {
        let sending = Sending { succeeded: 3, network_errors: 1, is_failing: true, ..Sending::default() };
        let mut profile = StoreProfile {
            project: "demo".into(),
            logstore: "access".into(),
            readings: Readings::default(),
            sending,
            succeeded_at: None,
            unsent: 2,
            unsent_since: Some((at(10), at(12))),
            is_blocked: false,
        };
        check(
            &store(&profile),
            expect![[r#"
                file_name=logstore_statistics
                logstore=access
                logtail_version=VERSION
                project=demo
                send_block_flag=false
                send_discard_error=0
                send_network_error=1
                send_queue_size=2
                send_quota_error=0
                send_success_count=3
                sender_valid_flag=false
                min_unsend_time=10
                max_unsend_time=12
                history_data_failures=0
                parse_failures=0
                read_avg_delay=0
                read_count=0
                regex_match_failures=0
                send_failures=0
                succeed_lines=0
                time_format_failures=0
                total_bytes=0
            "#]],
        );
        (profile.succeeded_at, profile.unsent_since) = (Some(at(9)), None);
        let has = |key: &str| store(&profile).iter().any(|(name, _)| *name == key);
        assert!(has("max_send_success_time") && !has("min_unsend_time"));
    }

    #[test]
    fn the_status_keeps_its_details_as_json() {
        let line =
            json!({"time": "t", "cpu": "0.1", "memory": 12, "detail_metric": {"open_fd": 3}, "user": "0"});
        check(
            &status(&line),
            expect![[r#"
                cpu=0.1
                detail_metric={"open_fd":3}
                memory=12
                user=0
            "#]],
        );
    }
}
