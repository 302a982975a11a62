//! Where requests go, and which host name they carry.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use sls_api::names::ProjectName;

/// Domain whose hosts are resolved with the project in front, as every SDK does.
const CLOUD_DOMAIN: &str = "aliyuncs.com";

/// An endpoint of the service or of an emulator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    https: bool,
    host: String,
    port: Option<u16>,
}

/// A text that is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint {text:?} {problem}: write http://HOST[:PORT] or https://HOST[:PORT], without a path")]
pub struct EndpointError {
    text: String,
    problem: &'static str,
}

/// Where to connect for one request, and what to say there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `http://host[:port]`.
    pub base: String,
    /// Value of the `Host` header.
    pub host: String,
    /// Project for the `x-log-project` header, where the host name cannot carry it.
    pub project_header: Option<ProjectName>,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `http://host[:port]`, `https://host[:port]` or a bare `host[:port]`. A bare host is
    /// https when it is one of the cloud's or has port 443, else http.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let failed = |problem| EndpointError { text: text.chars().take(200).collect(), problem };
        let trimmed = text.trim();
        let (https, authority) = match trimmed.split_once("://") {
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            Some(_) => return Err(failed("has a scheme other than http and https")),
            None => (None, trimmed),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority).ok_or_else(|| failed("has no valid port"))?;
        if !is_host(host) {
            return Err(failed("has no valid host name or IP address"));
        }
        let host = host.to_ascii_lowercase();
        let https = https.unwrap_or_else(|| port == Some(443) || (port.is_none() && is_cloud(&host)));
        Ok(Self { https, host, port })
    }
}

/// Splits `host:port`, `host`, `[v6]:port` and `[v6]`.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end_of_v6 = authority.rfind(']').map_or(0, |at| at + 1);
    let tail = authority.get(end_of_v6..)?;
    match tail.rfind(':') {
        None => Some((authority, None)),
        Some(at) => {
            let (host, port) = authority.split_at_checked(end_of_v6 + at)?;
            let port = port.get(1..)?.parse().ok().filter(|port| *port != 0)?;
            Some((host, Some(port)))
        }
    }
}

fn is_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

fn is_cloud(host: &str) -> bool {
    host.strip_suffix(CLOUD_DOMAIN).is_some_and(|rest| rest.ends_with('.'))
}

impl Endpoint {
    /// Where a request for `project` (or for the account) goes.
    ///
    /// On the cloud's own hosts that is `project.endpoint`. Anything else (an IP address,
    /// `localhost`, the name of a Kubernetes service) is connected to as it is, since
    /// `project.127.0.0.1` resolves nowhere; the `Host` header carries the project all the same.
    #[must_use]
    pub fn target(&self, project: Option<&ProjectName>) -> Target {
        let Some(project) = project else {
            return Target { base: self.to_string(), host: self.authority(), project_header: None };
        };
        if self.host.starts_with('[') {
            let project_header = Some(project.clone());
            return Target { base: self.to_string(), host: self.authority(), project_header };
        }
        let host = format!("{project}.{}", self.authority());
        let base =
            if is_cloud(&self.host) { format!("{}://{host}", self.scheme()) } else { self.to_string() };
        Target { base, host, project_header: None }
    }

    /// `host` or `host:port`, as pipelines carry it.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            None => self.host.clone(),
            Some(port) => format!("{}:{port}", self.host),
        }
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(endpoint: &str) -> (String, String) {
        let endpoint: Endpoint = endpoint.parse().unwrap();
        let target = endpoint.target(Some(&"proj-a".parse().unwrap()));
        (target.base, target.host)
    }

    fn pair(base: &str, host: &str) -> (String, String) {
        (base.to_owned(), host.to_owned())
    }

    #[test]
    fn the_cloud_is_reached_at_the_project_s_own_host() {
        let wanted =
            pair("https://proj-a.cn-hangzhou.log.aliyuncs.com", "proj-a.cn-hangzhou.log.aliyuncs.com");
        assert_eq!(target("cn-hangzhou.log.aliyuncs.com"), wanted);
        assert_eq!(target("https://cn-hangzhou.log.aliyuncs.com/"), wanted);
        let plain = target("http://cn-hangzhou.log.aliyuncs.com");
        assert_eq!(plain.0, "http://proj-a.cn-hangzhou.log.aliyuncs.com");
    }

    #[test]
    fn an_emulator_is_reached_as_it_is_and_told_the_project() {
        assert_eq!(target("127.0.0.1:8080"), pair("http://127.0.0.1:8080", "proj-a.127.0.0.1:8080"));
        assert_eq!(
            target("http://mock-sls.default.svc:80"),
            pair("http://mock-sls.default.svc:80", "proj-a.mock-sls.default.svc:80")
        );
        assert_eq!(target("localhost"), pair("http://localhost", "proj-a.localhost"));
        assert_eq!(target("localhost:443").0, "https://localhost:443");
    }

    #[test]
    fn an_ipv6_address_needs_the_project_header() {
        let endpoint: Endpoint = "http://[::1]:8080".parse().unwrap();
        let project = "proj-a".parse().unwrap();
        let target = endpoint.target(Some(&project));
        assert_eq!(target.host, "[::1]:8080");
        assert_eq!(target.project_header, Some(project));
    }

    #[test]
    fn account_requests_go_to_the_bare_endpoint() {
        let endpoint: Endpoint = "https://cn-hangzhou.log.aliyuncs.com".parse().unwrap();
        assert_eq!(endpoint.target(None).host, "cn-hangzhou.log.aliyuncs.com");
    }

    #[test]
    fn what_is_not_an_endpoint_is_refused_with_the_remedy() {
        for bad in ["", "ftp://a", "http://", "http://a/b", "a b", "a:0", "a:99999", "http://[::g]", "a..b"] {
            let e = bad.parse::<Endpoint>().unwrap_err().to_string();
            assert!(e.contains("write http://HOST[:PORT]"), "{bad}: {e}");
        }
    }
}
