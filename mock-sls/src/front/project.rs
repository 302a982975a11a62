//! Which project a request is for.
//!
//! The project is the first label of the host name (`project.endpoint`), whatever the endpoint
//! is called; a request to the bare endpoint has none. Source: captures of every official SDK.
//! Looked at in this order: the authority of an absolute request target (the client uses this
//! server as its HTTP proxy), the header `x-log-project` (LoongCollector with a custom domain),
//! the header `Host`.

use std::net::Ipv4Addr;

use http::header::HOST;
use http::request::Parts;
use sls_api::header;

/// Domains under which a cloud region's endpoint has exactly one label.
const CLOUD_DOMAINS: [&str; 2] = [".log.aliyuncs.com", ".sls.aliyuncs.com"];

/// The host names that this server answers to, without port, in lower case.
#[derive(Debug, Clone, Default)]
pub struct Hosts(Vec<String>);

/// What the host of a request says about the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// The bare endpoint.
    Endpoint,
    /// This project.
    Project(String),
    /// A host of two labels that this server does not know: this project's, if there is such
    /// a project, else perhaps an endpoint.
    Perhaps(String),
}

impl Hosts {
    /// Endpoint names as configured; a port is cut off.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|name| without_port(name).to_ascii_lowercase()).collect())
    }

    /// Reads the project out of a request.
    pub fn addressed(&self, request: &Parts) -> Addressed {
        if let Some(authority) = request.uri.authority() {
            return self.of_host(authority.host());
        }
        let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(project) = header(header::PROJECT).filter(|project| !project.is_empty()) {
            return Addressed::Project(project.to_owned());
        }
        self.of_host(header(HOST.as_str()).unwrap_or_default())
    }

    /// Reads the project out of a host name, with or without port.
    pub fn of_host(&self, host: &str) -> Addressed {
        let host = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        let Some((first, endpoint)) = host.split_once('.') else {
            return Addressed::Endpoint; // localhost, a bare service name, nothing
        };
        if is_address(&host) || self.0.contains(&host) || is_cloud_endpoint(&host) || is_service(&host) {
            return Addressed::Endpoint;
        }
        let known = is_address(endpoint)
            || self.0.iter().any(|name| name == endpoint)
            || endpoint.contains('.')
            || endpoint == "localhost";
        if known { Addressed::Project(first.to_owned()) } else { Addressed::Perhaps(first.to_owned()) }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || host.starts_with('[')
}

/// `cn-hangzhou.log.aliyuncs.com`, but not `project.cn-hangzhou.log.aliyuncs.com`.
fn is_cloud_endpoint(host: &str) -> bool {
    CLOUD_DOMAINS.iter().filter_map(|domain| host.strip_suffix(domain)).any(|region| !region.contains('.'))
}

/// `service.namespace.svc` and `service.namespace.svc.cluster.local`, the names of a Kubernetes
/// service, but not with a project in front.
fn is_service(host: &str) -> bool {
    let mut labels = host.split('.');
    labels.nth(2) == Some("svc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(host: &str, expected: Expect) {
        let hosts = Hosts::new(["mock.test:8080", "sls.test"]);
        expected.assert_eq(&format!("{:?}", hosts.of_host(host)));
    }

    #[test]
    fn a_bare_endpoint_names_no_project() {
        for host in [
            "127.0.0.1:8080",
            "127.0.0.1",
            "[::1]:8080",
            "localhost:8080",
            "mock-sls",
            "sls.test:38735",
            "MOCK.test",
            "cn-hangzhou.log.aliyuncs.com",
            "cn-hangzhou-intranet.log.aliyuncs.com:80",
            "mock-sls.default.svc.cluster.local:8080",
            "mock-sls.default.svc",
            "",
        ] {
            check(host, expect!["Endpoint"]);
        }
    }

    #[test]
    fn the_first_label_before_any_endpoint_is_the_project() {
        for host in [
            "proj-a.127.0.0.1",
            "proj-a.127.0.0.1:8080",
            "proj-a.localhost",
            "proj-a.localhost:8080",
            "proj-a.sls.test:38735",
            "proj-a.mock.test",
            "proj-a.cn-hangzhou.log.aliyuncs.com",
            "proj-a.cn-hangzhou.log.aliyuncs.com.",
            "proj-a.mock-sls.default.svc.cluster.local:8080",
            "proj-a.some.other.name",
        ] {
            check(host, expect![[r#"Project("proj-a")"#]]);
        }
    }

    #[test]
    fn an_unknown_host_of_two_labels_may_be_either() {
        check("proj-a.mock-sls:8080", expect![[r#"Perhaps("proj-a")"#]]);
        check("sls.example", expect![[r#"Perhaps("sls")"#]]);
    }

    #[test]
    fn target_beats_header_beats_host() {
        let hosts = Hosts::new([]);
        let request = |uri: &str, project: Option<&str>| {
            let mut builder = http::Request::builder().uri(uri).header("host", "c-c-c.localhost");
            if let Some(project) = project {
                builder = builder.header("x-log-project", project);
            }
            builder.body(()).unwrap().into_parts().0
        };
        let project = |name: &str| Addressed::Project(name.to_owned());
        let both = request("http://a-a-a.sls.test.local/", Some("b-b-b"));
        assert_eq!(hosts.addressed(&both), project("a-a-a"));
        assert_eq!(hosts.addressed(&request("/", Some("b-b-b"))), project("b-b-b"));
        assert_eq!(hosts.addressed(&request("/", None)), project("c-c-c"));
    }
}
