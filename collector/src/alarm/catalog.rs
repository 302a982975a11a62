//! Every alarm: its name and level, what it means, what is lost, what to do. `docs/alarms.md` shows this table, and a
//! test holds the two together.
//!
//! Names: collector.md §4.2 (LoongCollector's AlarmManager). Levels are the vendor's three; which alarm has which is
//! our choice (and LOG_VOLUME_USAGE_ALARM is ours): a warning loses nothing, an error holds logs up or drops what a config says may be dropped, and what is
//! critical loses logs that should have arrived.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Warning = 1,
    Error = 2,
    Critical = 3,
}

impl Level {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

macro_rules! alarms {
    ($($name:ident = $text:literal, $level:ident, $meaning:literal, $lost:literal, $remedy:literal;)*) => {
        /// See the module.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Alarm { $(#[doc = $meaning] $name),* }

        impl Alarm {
            /// All alarms, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// `alarm_type`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level),* }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }

            /// What is lost, if anything.
            pub fn lost(self) -> &'static str {
                match self { $(Self::$name => $lost),* }
            }

            /// What to do.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),* }
            }
        }
    };
}

alarms! {
    RegexMatch = "REGEX_MATCH_ALARM", Error,
        "events do not match the regex of the config as a whole; counted in events",
        "the events, unless `discardUnmatch` is false: then they are sent in `__raw_log__`",
        "compare the sample with the regex; the config's status names the column where they part";
    ParseLogFail = "PARSE_LOG_FAIL_ALARM", Error,
        "events are no JSON object, have other columns or quotes than configured, or no time in brackets (apsara); \
         counted in events",
        "the events, unless `discardUnmatch` is false: then they are sent in `__raw_log__`",
        "compare the sample with the config, or choose the mode that fits the file";
    ParseTimeFail = "PARSE_TIME_FAIL_ALARM", Warning,
        "times of logs do not fit `timeFormat`; counted in events",
        "nothing: the logs carry the time of collection",
        "correct `timeFormat` or `timeKey`";
    OutdatedLog = "OUTDATED_LOG_ALARM", Warning,
        "logs say a time more than 12 hours ago; counted in events",
        "nothing, unless `discard_old_data` is true in this collector: then the logs",
        "check the clock of the program, the zone of its times, and whether old files were meant to be collected";
    SplitLogFail = "SPLIT_LOG_FAIL_ALARM", Warning,
        "events are longer than `max_read_buffer_size` and are sent in pieces, or lines belong to no multi-line \
         record; counted in pieces or lines",
        "nothing, unless `UnmatchedContentTreatment` is `discard`: then the lines of no record",
        "correct `logBeginRegex` or the other patterns; for long events, have the program write shorter ones";
    EncodingConvert = "ENCODING_CONVERT_ALARM", Warning,
        "events hold bytes that are no GBK although the config says `gbk`; counted in events",
        "these bytes: each is replaced by U+FFFD",
        "set `fileEncoding` to what the program writes";
    LogTruncate = "LOG_TRUNCATE_ALARM", Warning,
        "a file was truncated or overwritten; its new content is read from the beginning",
        "what was written and cut away between two looks at the file, if anything was; the rest of a copy is read \
         there",
        "rotate by renaming instead of `copytruncate`";
    SkipReadLog = "SKIP_READ_LOG_ALARM", Warning,
        "the beginning of a file that is older than the collector is not collected; counted in bytes",
        "these bytes, as `tailExisted` or `tail_size_kb` asks",
        "raise `tail_size_kb` if they are wanted, before the collector starts";
    ReadLogDelay = "READ_LOG_DELAY_ALARM", Warning,
        "more than `delayAlarmBytes` (200 MiB) of a file are not read yet; counted in looks at it, two a minute",
        "nothing while the file is there",
        "see whether sending is slow or fails (`send_…` of `logtail_profile`), or `max_bytes_per_sec` is too low";
    OpenLogfileFail = "OPEN_LOGFILE_FAIL_ALARM", Error,
        "a file or directory cannot be read, for another reason than those below; counted in tries",
        "nothing while it is there: it is tried again",
        "what the message names";
    LogfilePermission = "LOGFILE_PERMINSSION_ALARM", Error,
        "the collector may not read a file; counted in tries",
        "nothing while it is there: it is tried again",
        "let the collector's user read it, for instance by `securityContext.fsGroup`";
    LogdirPermission = "LOGDIR_PERMISSION_ALARM", Error,
        "the collector may not list or search a directory; counted in tries",
        "nothing while it is there: it is tried again",
        "let the collector's user read and search it and all above it, for instance by `securityContext.fsGroup`";
    OpenFileLimit = "OPEN_FILE_LIMIT_ALARM", Error,
        "no more files can be open; counted in tries",
        "nothing while the file is there: it is tried again",
        "raise the container's limit of open files, or narrow `logPath` and `filePattern`";
    DirExceedLimit = "DIR_EXCEED_LIMIT_ALARM", Error,
        "a config names more than 10000 directories; counted in listings",
        "what is in the directories beyond",
        "narrow `logPath` or `maxDepth`";
    RegisterInotifyFail = "REGISTER_INOTIFY_FAIL_ALARM", Warning,
        "the kernel does not tell of changes in a directory: a network file system, or no inotify",
        "nothing: files are looked at each second",
        "put logs on a local volume (emptyDir)";
    InotifyDirNumLimit = "INOTIFY_DIR_NUM_LIMIT_ALARM", Warning,
        "the node's limit of watched directories is used up",
        "nothing: files are looked at each second",
        "raise the sysctl `fs.inotify.max_user_watches` on the node";
    InotifyEventOverflow = "INOTIFY_EVENT_OVERFLOW_ALARM", Warning,
        "more changed than the kernel's queue holds; everything is listed anew",
        "nothing, unless a file came and went meanwhile",
        "raise the sysctl `fs.inotify.max_queued_events` on the node";
    CategoryConfig = "CATEGORY_CONFIG_ALARM", Warning,
        "a part of a config cannot be honoured: its time format, or its topic regex, which finds nothing in a path",
        "nothing: logs carry the time of collection, or no topic",
        "correct what the message names";
    UserConfig = "USER_CONFIG_ALARM", Error,
        "a config of the server or of a local file cannot be used",
        "nothing while the files are there: what ran before goes on, else nothing of it is collected",
        "correct what the message names; the config's status has it too";
    ConfigUpdate = "CONFIG_UPDATE_ALARM", Warning,
        "the config server cannot be reached, or refuses this collector; counted in heartbeats",
        "nothing: the configs that are known go on",
        "check `config_server_list`, the network, and the ids of this collector";
    LogVolumeUsage = "LOG_VOLUME_USAGE_ALARM", Warning,
        "log files take more than 70 % of `log_volume_size_limit`; counted in looks, six a minute (not one of the vendor's)",
        "nothing yet; a pod whose emptyDir is fuller than its `sizeLimit` is evicted, with all that is not sent",
        "see whether sending keeps up, keep fewer rotated files, raise both limits, or set `unlink_collected_logs`";
    SendQuotaExceed = "SEND_QUOTA_EXCEED_ALARM", Error,
        "the server refuses requests because the write quota of the project or of a shard is used up; counted in \
         requests",
        "nothing: they are sent again, and reading waits",
        "split shards of the Logstore, or raise the quota of the project";
    SendDataFail = "SEND_DATA_FAIL_ALARM", Error,
        "requests fail for another reason: network, server, names, key, clock; counted in requests",
        "nothing: they are sent again, and reading waits",
        "what the message names";
    DiscardData = "DISCARD_DATA_ALARM", Critical,
        "the server refuses logs for good: it cannot read the request, or one log is too large; counted in logs",
        "these logs",
        "look for LOGS LOST in the collector's log, and report it: it is a fault of the collector";
    Checkpoint = "CHECKPOINT_ALARM", Error,
        "the positions cannot be read or written; counted in tries",
        "nothing while the collector runs; after a restart logs are sent again",
        "make the directory of `check_point_path` writable, and see whether its volume is full";
    ExactlyOnce = "EXACTLY_ONCE_ALARM", Error,
        "numbered logs (`EnableExactlyOnce`) wait, because their numbers cannot be written to the checkpoint; or a file \
         is shorter than before a restart, and what it holds is numbered anew",
        "nothing; in the second case logs may arrive twice",
        "as for CHECKPOINT_ALARM; in the second case rotate by renaming instead of `copytruncate`";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_of_the_documentation_is_this_one() {
        let line = |alarm: &Alarm| {
            let level = alarm.level().name();
            let (meaning, lost, remedy) = (alarm.meaning(), alarm.lost(), alarm.remedy());
            format!("| `{}` | {level} | {meaning} | {lost} | {remedy} |", alarm.name())
        };
        let expected: Vec<String> = Alarm::ALL.iter().map(line).collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alarms.md");
        let text = std::fs::read_to_string(path).unwrap();
        let is_row = |line: &&str| line.starts_with("| `") && line.matches(" | ").count() == 4;
        let shown: Vec<&str> = text.lines().filter(is_row).collect();
        assert!(shown == expected, "docs/alarms.md should have these rows:\n{}", expected.join("\n"));
    }

    #[test]
    fn no_name_comes_twice() {
        let names: BTreeSet<&str> = Alarm::ALL.iter().map(|alarm| alarm.name()).collect();
        assert_eq!(names.len(), Alarm::ALL.len());
    }
}
