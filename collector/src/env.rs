//! The container's environment, read once.
//!
//! Names and meaning: the sidecar document and collector.md §1.4. Pure after [`Env::of_process`].
//! Called by `cli` (to build it), `instance_config` (parameters that override the file),
//! `identity` and `service`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

/// Where the config file is when no variable names it. Source: collector.md §1.5.
pub const CONFIG_PATH_DEFAULT: &str = "/usr/local/ilogtail/ilogtail_config.json";

/// Directory that every absolute path is placed under; for beds without mount namespaces (ours).
pub const PATH_PREFIX: &str = "SLS_PATH_PREFIX";

const CONFIG: &[&str] = &["ALIYUN_LOGTAIL_CONFIG", "LOONG_CONFIG"];
const USER_ID: &[&str] = &["ALIYUN_LOGTAIL_USER_ID", "LOONG_USER_ID"];
const USER_DEFINED_ID: &[&str] = &["ALIYUN_LOGTAIL_USER_DEFINED_ID", "LOONG_USER_DEFINED_ID"];
const ENV_TAGS: &[&str] = &["ALIYUN_LOG_ENV_TAGS", "LOONG_ENV_TAGS"];
const FILE_TAGS: &[&str] = &["ALIYUN_LOG_FILE_TAGS", "LOONG_FILE_TAGS"];
/// Source: OpenSSL's name, which Go, curl and Python know too.
const AUTHORITIES: &str = "SSL_CERT_FILE";
const LOG_LEVEL: &[&str] = &["LOGTAIL_LOG_LEVEL", "LOONG_LOG_LEVEL"];

/// Variables that hold the name of the Job that the pod belongs to, where the manifest passes it on (ours), and
/// what Kubernetes itself sets in the pods of an indexed Job.
const JOB: &[&str] = &["ALIYUN_LOGTAIL_JOB_NAME", "LOONG_JOB_NAME", "_job_name_", "JOB_COMPLETION_INDEX"];

/// Variables that hold the pod's address, by convention and by the document.
const POD_IP: &[&str] = &["POD_IP", "_pod_ip_"];

/// All variables of the process; text that is not UTF-8 is read lossily.
#[derive(Debug, Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
}

/// A start parameter given by the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter<'e> {
    /// The variable that gives it, for messages.
    pub variable: String,
    pub value: &'e str,
}

impl Env {
    /// The variables of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The value of a variable; `None` when unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable, which may be empty.
    pub fn set(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Names of the variables that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }

    fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Path of `ilogtail_config.json` as the container sees it (without the path prefix).
    pub fn config_path(&self) -> PathBuf {
        PathBuf::from(self.first(CONFIG).unwrap_or(CONFIG_PATH_DEFAULT).trim())
    }

    /// Account ids, comma separated in the variable.
    pub fn user_ids(&self) -> Vec<String> {
        comma_list(self.first(USER_ID))
    }

    /// Machine group ids, comma separated in the variable.
    pub fn user_defined_ids(&self) -> Vec<String> {
        comma_list(self.first(USER_DEFINED_ID))
    }

    /// Tags of every log, in the order named. A name that is not set gives an empty value.
    /// Source: collector.md §1.4.
    pub fn env_tags(&self) -> Vec<(String, String)> {
        let names = self.first(ENV_TAGS).unwrap_or_default();
        let mut tags: Vec<(String, String)> = Vec::new();
        for name in names.split('|').map(str::trim).filter(|name| !name.is_empty()) {
            if !tags.iter().any(|(known, _)| known == name) {
                tags.push((name.to_owned(), self.get(name).unwrap_or_default().to_owned()));
            }
        }
        tags
    }

    /// The file of further tags of every log, as the container sees it. Source: collector.md §1.4.
    pub fn file_tags(&self) -> Option<PathBuf> {
        self.first(FILE_TAGS).map(|path| PathBuf::from(path.trim()))
    }

    /// The file of trusted certificate authorities, as the container sees it.
    pub fn authorities(&self) -> Option<PathBuf> {
        self.get(AUTHORITIES).map(|path| PathBuf::from(path.trim()))
    }

    /// The pod's address where the manifest passes it on.
    pub fn pod_ip(&self) -> Option<IpAddr> {
        POD_IP.iter().find_map(|name| self.get(name)?.trim().parse().ok())
    }

    /// The variable that shows that the pod belongs to a Job, if one does. Without a label `job-name` the downward
    /// API gives an empty value, so that one manifest serves pods of Jobs and others.
    pub fn job_evidence(&self) -> Option<&'static str> {
        JOB.iter().copied().find(|name| self.get(name).is_some())
    }

    /// The host name by the container runtime's convention.
    pub fn hostname(&self) -> Option<&str> {
        self.get("HOSTNAME")
    }

    /// Directory that all absolute paths are placed under.
    pub fn path_prefix(&self) -> Option<PathBuf> {
        self.get(PATH_PREFIX).map(PathBuf::from)
    }

    /// Lowest level that is logged; an unknown word is returned as the error.
    ///
    /// # Errors
    /// The word, if it is none of the vendor's levels.
    pub fn log_level(&self) -> Result<LevelFilter, &str> {
        let Some(word) = self.first(LOG_LEVEL) else { return Ok(LevelFilter::INFO) };
        Ok(match word.to_ascii_lowercase().as_str() {
            "trace" => LevelFilter::TRACE,
            "debug" => LevelFilter::DEBUG,
            "info" => LevelFilter::INFO,
            "warn" | "warning" => LevelFilter::WARN,
            "error" | "fatal" | "critical" => LevelFilter::ERROR,
            "off" => LevelFilter::OFF,
            _ => return Err(word),
        })
    }

    /// A start parameter: any key of the config file may also come as `LOONG_<KEY>`,
    /// `ALIYUN_LOGTAIL_<KEY>`, `<key>` or `<KEY>`, and then wins over the file.
    /// Source: collector.md §1.4 (the last spelling: ours).
    pub fn parameter(&self, key: &str) -> Option<Parameter<'_>> {
        let upper = key.to_ascii_uppercase();
        [format!("LOONG_{upper}"), format!("ALIYUN_LOGTAIL_{upper}"), key.to_owned(), upper]
            .into_iter()
            .find_map(|variable| Some(Parameter { value: self.get(&variable)?, variable }))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

fn comma_list(text: Option<&str>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in text.unwrap_or_default().split(',').map(str::trim).filter(|id| !id.is_empty()) {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_documents_tag_variables_become_tags_in_their_order() {
        let env = Env::from_iter([
            ("ALIYUN_LOG_ENV_TAGS", "_pod_name_|_pod_ip_|_namespace_|_node_name_|_node_ip_"),
            ("_pod_name_", "nginx-log-sidecar-demo-x2x"),
            ("_pod_ip_", "10.0.0.7"),
            ("_namespace_", "default"),
            ("_node_ip_", "192.168.0.1"),
        ]);
        expect![[r#"
            [
                (
                    "_pod_name_",
                    "nginx-log-sidecar-demo-x2x",
                ),
                (
                    "_pod_ip_",
                    "10.0.0.7",
                ),
                (
                    "_namespace_",
                    "default",
                ),
                (
                    "_node_name_",
                    "",
                ),
                (
                    "_node_ip_",
                    "192.168.0.1",
                ),
            ]
        "#]]
        .assert_debug_eq(&env.env_tags());
        assert_eq!(env.pod_ip(), Some("10.0.0.7".parse().unwrap()));
    }

    #[test]
    fn id_lists_are_comma_separated_trimmed_and_without_repeats() {
        let env = Env::from_iter([
            ("ALIYUN_LOGTAIL_USER_ID", "1234567890123456, 6543210987654321,"),
            ("ALIYUN_LOGTAIL_USER_DEFINED_ID", "nginx-log-sidecar,nginx-log-sidecar, other"),
        ]);
        assert_eq!(env.user_ids(), ["1234567890123456", "6543210987654321"]);
        assert_eq!(env.user_defined_ids(), ["nginx-log-sidecar", "other"]);
    }

    #[test]
    fn the_later_names_are_aliases() {
        let env = Env::from_iter([
            ("LOONG_CONFIG", "/etc/ilogtail/conf/cn-beijing/ilogtail_config.json"),
            ("LOONG_USER_DEFINED_ID", "g"),
            ("LOONG_ENV_TAGS", "A"),
            ("A", "1"),
        ]);
        assert_eq!(env.config_path(), PathBuf::from("/etc/ilogtail/conf/cn-beijing/ilogtail_config.json"));
        assert_eq!(env.user_defined_ids(), ["g"]);
        assert_eq!(env.env_tags(), [("A".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        let env = Env::default();
        assert_eq!(env.config_path(), PathBuf::from(CONFIG_PATH_DEFAULT));
        assert!(env.env_tags().is_empty() && env.user_ids().is_empty());
        assert_eq!(env.log_level(), Ok(LevelFilter::INFO));
    }

    #[test]
    fn a_parameter_may_have_any_of_four_spellings() {
        for variable in ["LOONG_WORKING_IP", "ALIYUN_LOGTAIL_WORKING_IP", "working_ip", "WORKING_IP"] {
            let env = Env::from_iter([(variable, "10.1.1.1")]);
            assert_eq!(
                env.parameter("working_ip"),
                Some(Parameter { variable: variable.into(), value: "10.1.1.1" })
            );
        }
    }

    #[test]
    fn an_unknown_log_level_is_handed_back_for_the_message() {
        assert_eq!(Env::from_iter([("LOGTAIL_LOG_LEVEL", "loud")]).log_level(), Err("loud"));
        assert_eq!(Env::from_iter([("LOGTAIL_LOG_LEVEL", "WARNING")]).log_level(), Ok(LevelFilter::WARN));
    }
}
