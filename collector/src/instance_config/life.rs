//! When the collector ends by itself, and where it tells of its life and end. All of it but the port of probes is
//! ours: the vendor's agent is ended by a shell script around it.

use std::path::PathBuf;
use std::time::Duration;

use super::Parameters;
use crate::env::Env;

/// Default and bounds of `exit_quiet_seconds`. Source: own choice; the vendor's template sleeps as long
/// "until logs are sent" (collector.md §1.2).
pub const EXIT_QUIET_DEFAULT: Duration = Duration::from_secs(10);
const EXIT_QUIET_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;

const PROBE_PORT: std::ops::RangeInclusive<u64> = 1..=65_535;

/// How the end is found and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Directory of `cornerstone` and `tombstone` (collector.md §1.2).
    pub tasksite: Option<PathBuf>,
    /// End when all work seems to be done, after so long without anything new.
    pub exit_after_quiet: Option<Duration>,
    /// Because the config says so, not because the pod belongs to a Job: then also where somebody else is to end
    /// the collector.
    pub exit_is_asked: bool,
    /// Port for probes and metrics by HTTP; `None`: there are none.
    pub probe_port: Option<u16>,
    /// File for the account at the end; `None`: where the kubelet looks by default, if it does.
    pub termination_log: Option<PathBuf>,
}

impl Life {
    pub(super) fn read(parameters: &mut Parameters<'_>, env: &Env) -> Self {
        let quiet = parameters
            .number("exit_quiet_seconds", EXIT_QUIET_SECONDS)
            .map_or(EXIT_QUIET_DEFAULT, Duration::from_secs);
        let (exits, exit_is_asked) = exits_on_idle(parameters, env);
        Self {
            tasksite: parameters.text("tasksite").map(PathBuf::from),
            exit_after_quiet: exits.then_some(quiet),
            exit_is_asked,
            probe_port: parameters
                .number("http_probe_port", PROBE_PORT)
                .and_then(|port| u16::try_from(port).ok()),
            termination_log: parameters.text("termination_log").map(PathBuf::from),
        }
    }
}

/// Whether, and whether it was asked for.
fn exits_on_idle(parameters: &mut Parameters<'_>, env: &Env) -> (bool, bool) {
    let word = parameters.word("exit_on_idle").unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "true" => (true, true),
        "false" => (false, false),
        "auto" | "" => (env.job_evidence().is_some(), false),
        _ => {
            parameters
                .notice(format!("exit_on_idle must be auto, true or false, not {word:?}; auto is used"));
            (env.job_evidence().is_some(), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::InstanceConfig;
    use super::*;

    fn life(file: &str, variables: &[(&str, &str)]) -> (Life, Vec<String>) {
        let env = Env::from_iter(variables.iter().copied());
        let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
        let config = InstanceConfig::parse(path, Some(file.as_bytes()), &env).unwrap();
        let notices = config.notices.into_iter().filter(|notice| notice.contains("exit")).collect();
        (config.life, notices)
    }

    #[test]
    fn a_pod_of_a_job_ends_by_itself_and_no_other() {
        let quiet = |variables: &[(&str, &str)]| life("{}", variables).0.exit_after_quiet;
        let ten = Some(Duration::from_secs(10));
        assert_eq!(quiet(&[]), None);
        assert_eq!(quiet(&[("JOB_COMPLETION_INDEX", "0")]), ten);
        assert_eq!(quiet(&[("ALIYUN_LOGTAIL_JOB_NAME", "nginx")]), ten);
        assert_eq!(quiet(&[("_job_name_", "nginx")]), ten);
        assert_eq!(quiet(&[("ALIYUN_LOGTAIL_JOB_NAME", "")]), None, "the pod has no such label");
        assert_eq!(quiet(&[("JOB_NAME", "a build server's")]), None);
        assert_eq!(quiet(&[("HOSTNAME", "nginx-28900000-x2x4c")]), None);
    }

    #[test]
    fn the_switch_wins_over_what_is_found() {
        let job = ("JOB_COMPLETION_INDEX", "0");
        let (off, _) = life("{}", &[job, ("ALIYUN_LOGTAIL_EXIT_ON_IDLE", "false")]);
        assert_eq!(off.exit_after_quiet, None);
        let variables = [("ALIYUN_LOGTAIL_EXIT_ON_IDLE", "true"), ("ALIYUN_LOGTAIL_EXIT_QUIET_SECONDS", "3")];
        assert_eq!(life("{}", &variables).0.exit_after_quiet, Some(Duration::from_secs(3)));
        assert_eq!(life(r#"{"exit_on_idle": false}"#, &[job]).0.exit_after_quiet, None);
        let (auto, notices) = life(r#"{"exit_on_idle": "yes"}"#, &[job]);
        assert_eq!(auto.exit_after_quiet, Some(Duration::from_secs(10)));
        assert_eq!(notices, [r#"exit_on_idle must be auto, true or false, not "yes"; auto is used"#]);
    }

    #[test]
    fn paths_come_from_the_file_or_the_environment() {
        let (life, _) =
            life(r#"{"tasksite": "/tasksite"}"#, &[("ALIYUN_LOGTAIL_TERMINATION_LOG", "/tmp/account")]);
        assert_eq!(life.tasksite, Some(PathBuf::from("/tasksite")));
        assert_eq!(life.termination_log, Some(PathBuf::from("/tmp/account")));
    }
}
