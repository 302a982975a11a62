//! Which project a request is for.
//!
//! The project is the first label of the host name (`project.endpoint`), whatever the endpoint
//! is called; a request to the bare endpoint has none. Source: captures of every official SDK.
//! Looked at in this order: the authority of an absolute request target (the client uses this
//! server as its HTTP proxy) if it names one, the header `x-log-project` (LoongCollector with a custom
//! domain), the header `Host`.

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
}

/// What a host name alone says about the project.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Endpoint,
    Project(String),
    /// Two labels that this server does not know: `project.endpoint`, or an endpoint.
    Either(String),
}

/// Parameters that only a list of projects has. Source: captures of the Go, Java and Python
/// SDKs.
const LIST_PARAMETERS: [&str; 2] = ["offset", "size"];

impl Hosts {
    /// Endpoint names as configured; a port is cut off.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|name| without_port(name).to_ascii_lowercase()).collect())
    }

    /// Reads the project out of a request.
    pub fn addressed(&self, request: &Parts) -> Addressed {
        let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
        let project = header(header::PROJECT).filter(|project| !project.is_empty());
        let host = match (request.uri.authority(), project) {
            (Some(authority), _) => authority.as_str(),
            (None, Some(project)) => return Addressed::Project(project.to_owned()),
            (None, None) => header(HOST.as_str()).unwrap_or_default(),
        };
        match self.named(host) {
            Named::Endpoint => {
                project.map_or(Addressed::Endpoint, |name| Addressed::Project(name.to_owned()))
            }
            Named::Either(_) if lists_projects(request) => Addressed::Endpoint,
            Named::Project(name) | Named::Either(name) => Addressed::Project(name),
        }
    }

    /// A host with its port, without the project in front of it. A host that may be either is
    /// left whole.
    pub fn endpoint<'h>(&self, host: &'h str) -> &'h str {
        match (self.named(host), host.split_once('.')) {
            (Named::Project(_), Some((_, endpoint))) => endpoint,
            _ => host,
        }
    }

    fn named(&self, host: &str) -> Named {
        let host = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        let Some((first, endpoint)) = host.split_once('.') else {
            return Named::Endpoint; // localhost, a bare service name, nothing
        };
        if is_address(&host) || self.0.contains(&host) || is_cloud_endpoint(&host) || is_service(&host) {
            return Named::Endpoint;
        }
        let known = is_address(endpoint)
            || self.0.iter().any(|name| name == endpoint)
            || endpoint.contains('.')
            || endpoint == "localhost";
        if known { Named::Project(first.to_owned()) } else { Named::Either(first.to_owned()) }
    }
}

fn lists_projects(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    let names = || query.split('&').filter_map(|pair| pair.split('=').next());
    request.uri.path() == "/" && names().any(|name| LIST_PARAMETERS.contains(&name))
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
    use proptest::prelude::*;

    fn check(host: &str, expected: Expect) {
        let hosts = Hosts::new(["mock.test:8080", "sls.test"]);
        expected.assert_eq(&format!("{:?}", hosts.named(host)));
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
        check("proj-a.mock-sls:8080", expect![[r#"Either("proj-a")"#]]);
        check("sls.example", expect![[r#"Either("sls")"#]]);
    }

    #[test]
    fn a_proxied_address_without_a_project_leaves_it_to_the_header() {
        let addressed = |uri: &str, project: &str| {
            let request =
                http::Request::get(uri).header(header::PROJECT, project).header(HOST, "other.sls.test");
            Hosts::new(["sls.test"]).addressed(&request.body(()).unwrap().into_parts().0)
        };
        let named = |name: &str| Addressed::Project(name.to_owned());
        assert_eq!(addressed("http://proj-a.sls.test/logstores", "proj-b"), named("proj-a"));
        assert_eq!(addressed("http://sls.test/logstores", "proj-b"), named("proj-b"));
        assert_eq!(addressed("http://127.0.0.1:80/logstores", "proj-b"), named("proj-b"));
        assert_eq!(addressed("http://sls.test/logstores", ""), Addressed::Endpoint);
    }

    #[test]
    fn the_endpoint_is_the_host_without_the_project() {
        let hosts = Hosts::new(["sls.test"]);
        for (host, endpoint) in [
            ("proj-a.sls.test:80", "sls.test:80"),
            ("sls.test:80", "sls.test:80"),
            ("proj-a.127.0.0.1:8080", "127.0.0.1:8080"),
            ("cn-hangzhou.log.aliyuncs.com", "cn-hangzhou.log.aliyuncs.com"),
            ("mock-sls.default:8080", "mock-sls.default:8080"),
            ("", ""),
        ] {
            assert_eq!(hosts.endpoint(host), endpoint, "{host}");
        }
    }

    #[test]
    fn an_unknown_host_is_a_project_unless_projects_are_listed() {
        let hosts = Hosts::default();
        let addressed = |uri: &str| {
            let request = http::Request::builder().uri(uri).header("host", "proj-a.mock-sls:80");
            hosts.addressed(&request.body(()).unwrap().into_parts().0)
        };
        let project = Addressed::Project("proj-a".to_owned());
        assert_eq!(addressed("/"), project);
        assert_eq!(addressed("/logstores?offset=0&size=10"), project);
        assert_eq!(addressed("/?offset=0&size=10"), Addressed::Endpoint);
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

    proptest! {
        #[test]
        fn whatever_the_host_says_a_project_is_one_label(
            host in "[a-z0-9.:\\[\\]%-]{0,40}|\\PC{0,20}", header in proptest::option::of("[ -~]{0,20}"),
        ) {
            let mut request = http::Request::builder().uri("/");
            if let Ok(value) = http::HeaderValue::from_str(&host) {
                request = request.header("host", value);
            }
            if let Some(project) = &header {
                request = request.header("x-log-project", project);
            }
            let parts = request.body(()).unwrap().into_parts().0;
            let addressed = Hosts::new(["sls.test"]).addressed(&parts);
            if let (Addressed::Project(name), None) = (addressed, header) {
                prop_assert!(!name.contains('.'), "{name}");
            }
        }
    }
}
