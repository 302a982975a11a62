//! The proxies that the environment names.

use sls_client::{Proxies, ProxyUrls, check_proxy};

use crate::env::Env;

/// The variables of each, the first that is set counts. Source: curl, which prefers those in lower case.
const HTTP: [&str; 2] = ["http_proxy", "HTTP_PROXY"];
const HTTPS: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
const NONE: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// Reads them; what cannot be used is left out and told, without its value, which may hold a password.
pub fn read(env: &Env, notices: &mut Vec<String>) -> Proxies {
    let mut first = |names: [&'static str; 2]| {
        let (name, url) = names.into_iter().find_map(|name| Some((name, env.get(name)?.trim())))?;
        match check_proxy(url) {
            Ok(()) => Some(url),
            Err(problem) => {
                notices.push(format!("environment variable {name} {problem}; it is not used"));
                None
            }
        }
    };
    let (http, https, all) = (first(HTTP), first(HTTPS), first(ALL));
    let except = NONE.into_iter().find_map(|name| env.get(name));
    Proxies::new(&ProxyUrls { http, https, all, except })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(variables: &[(&str, &str)], target: &str) -> (Option<String>, Vec<String>) {
        let mut notices = Vec::new();
        let proxies = read(&variables.iter().copied().collect(), &mut notices);
        (proxies.of(&target.parse().unwrap()).map(|proxy| proxy.address()), notices)
    }

    #[test]
    fn both_cases_count_and_lower_case_first() {
        let variables =
            [("HTTP_PROXY", "http://upper:1"), ("http_proxy", "http://lower:2"), ("NO_PROXY", "a.test")];
        assert_eq!(through(&variables, "http://sls.test/").0.unwrap(), "lower:2");
        assert_eq!(through(&variables[..1], "http://sls.test/").0.unwrap(), "upper:1");
        assert_eq!(through(&variables, "http://a.test/").0, None);
        assert_eq!(through(&[("ALL_PROXY", "rest:3")], "https://sls.test/").0.unwrap(), "rest:3");
        assert_eq!(through(&[], "http://sls.test/").0, None);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
        let (found, notices) = through(&[("ALL_PROXY", "socks5://me:s3cret@proxy:1080")], "http://sls.test/");
        assert_eq!(found, None);
        assert_eq!(
            notices,
            [
                "environment variable ALL_PROXY has a scheme other than http, in which this program does not speak to \
              proxies: write http://HOST:PORT; it is not used"
            ]
        );
    }
}
