//! Variables of the environment that look like start parameters: those without effect, and those that nobody knows.

use sls_api::nearest::nearest;

use super::catalog::{self, KEYS, Standing, VARIABLES};
use crate::env::Env;

/// Beginnings of the names that the vendor's agent reads, the longest first.
const PREFIXES: [&str; 2] = ["ALIYUN_LOGTAIL_", "LOONG_"];

/// Beginning of the names of the vendor's log tools at large, of which not all are the agent's.
const TOOLS_PREFIX: &str = "ALIYUN_LOG_";

/// One text for each variable that is set and does nothing.
pub fn notices(env: &Env) -> Vec<String> {
    let tags = env.env_tags();
    let is_tag = |name: &str| tags.iter().any(|(tag, _)| tag == name);
    env.names().filter(|name| !is_tag(name) && !is_service_link(name, env)).filter_map(notice).collect()
}

fn notice(name: &str) -> Option<String> {
    let known = |standing| match standing {
        Standing::Honoured(_) => None,
        Standing::NoEffect(why) => {
            Some(catalog::without_effect(&format!("environment variable {name}"), why))
        }
    };
    if let Some(standing) = catalog::variable(name) {
        return known(standing);
    }
    let prefix = PREFIXES.into_iter().find(|prefix| name.starts_with(prefix));
    let key = prefix.map_or(name, |prefix| name.strip_prefix(prefix).unwrap_or(name)).to_ascii_lowercase();
    if let Some(standing) = catalog::key(&key) {
        return known(standing);
    }
    match prefix {
        Some(prefix) => {
            let hint = near(name, prefix).map(|near| format!(", did you mean {near}?")).unwrap_or_default();
            Some(format!("unknown environment variable {name} is ignored{hint}"))
        }
        // Other tools have variables of this beginning too: only a slip is worth a word.
        None if name.starts_with(TOOLS_PREFIX) => near(name, TOOLS_PREFIX)
            .map(|near| format!("unknown environment variable {name} is ignored, did you mean {near}?")),
        None => None,
    }
}

/// The variable that was meant. Compared without the common beginning, of which a slip would take no notice.
fn near(name: &str, prefix: &str) -> Option<String> {
    let rest = name.strip_prefix(prefix)?;
    let variables = VARIABLES.iter().filter_map(|(known, _)| known.strip_prefix(prefix));
    let found = nearest(rest, variables.chain(KEYS.iter().map(|(key, _)| *key)))?;
    Some(format!("{prefix}{}", found.to_ascii_uppercase()))
}

/// Kubernetes tells each pod of all services by variables named after them; one may be called `loong-…`.
fn is_service_link(name: &str, env: &Env) -> bool {
    let ends = name.match_indices('_').map(|(at, _)| at);
    ends.filter_map(|end| name.get(..end))
        .any(|service| env.get(&format!("{service}_SERVICE_HOST")).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(notices(&variables.iter().copied().collect()), expected);
    }

    #[test]
    fn a_slip_is_told_with_the_name_that_was_meant() {
        check(
            &[
                ("ALIYUN_LOGTAIL_USER_DEFIND_ID", "g"),
                ("LOONG_WORKING_IPS", "1"),
                ("ALIYUN_LOG_ENV_TAG", "a"),
            ],
            &[
                "unknown environment variable ALIYUN_LOGTAIL_USER_DEFIND_ID is ignored, did you mean \
                 ALIYUN_LOGTAIL_USER_DEFINED_ID?",
                "unknown environment variable ALIYUN_LOG_ENV_TAG is ignored, did you mean ALIYUN_LOG_ENV_TAGS?",
                "unknown environment variable LOONG_WORKING_IPS is ignored, did you mean LOONG_WORKING_IP?",
            ],
        );
        check(&[("LOONG_XYZ", "1")], &["unknown environment variable LOONG_XYZ is ignored"]);
    }

    #[test]
    fn what_others_use_is_not_talked_about() {
        check(
            &[
                ("PATH", "/bin"),
                ("JAVA_HOME", "/java"),
                ("ALIYUN_LOG_CLI_ENDPOINT", "e"),
                ("ALIYUN_LOG_ENV_TAGS", "LOONG_TEAM"),
                ("LOONG_TEAM", "web"),
                ("LOONG_STORE_SERVICE_HOST", "10.0.0.1"),
                ("LOONG_STORE_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ],
            &[],
        );
    }
}
