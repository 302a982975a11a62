//! Whether the collector tells the service of itself: alarms, profiles and its status.

use super::Parameters;

/// Which projects get diagnostic logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DiagnosticLogs {
    /// Those that have asked for them, by their project logging.
    #[default]
    Auto,
    /// All others too, in a Logstore of their own, if it is there.
    Always,
    Never,
}

impl DiagnosticLogs {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let word = parameters.word("diagnostic_logs").unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "auto" | "" => Self::Auto,
            "true" => Self::Always,
            "false" => Self::Never,
            _ => {
                parameters.notice(format!(
                    "diagnostic_logs must be auto, true or false, not {word:?}; auto is used"
                ));
                Self::Auto
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::env::Env;
    use crate::instance_config::InstanceConfig;

    #[test]
    fn it_is_switched_by_the_file_or_the_environment() {
        let read = |file: &str, variables: &[(&str, &str)]| {
            let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
            let env = Env::from_iter(variables.iter().copied());
            let config = InstanceConfig::parse(path, Some(file.as_bytes()), &env).unwrap();
            let notices = config.notices.into_iter().filter(|notice| notice.contains("diagnostic_logs"));
            (config.diagnostic_logs, notices.collect::<Vec<_>>())
        };
        assert_eq!(read("{}", &[]), (DiagnosticLogs::Auto, vec![]));
        assert_eq!(read(r#"{"diagnostic_logs": true}"#, &[]), (DiagnosticLogs::Always, vec![]));
        let off = [("ALIYUN_LOGTAIL_DIAGNOSTIC_LOGS", "False")];
        assert_eq!(read(r#"{"diagnostic_logs": true}"#, &off), (DiagnosticLogs::Never, vec![]));
        let (word, notices) = read(r#"{"diagnostic_logs": "on"}"#, &[]);
        assert_eq!(word, DiagnosticLogs::Auto);
        assert_eq!(notices, [r#"diagnostic_logs must be auto, true or false, not "on"; auto is used"#]);
    }
}
