//! Addresses of config servers and data servers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use http::uri::Authority;
use serde_json::Value;
use sls_client::Endpoint;

use super::keys::Parameters;
use super::kind;

/// `host:port`, both given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort(Authority);

/// A text that is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("{0:?} is not host:port")]
    NotHostPort(String),
    #[error("{0:?} is an https address: config servers are asked by plain HTTP, give host:port")]
    Https(String),
}

impl HostPort {
    /// For the `Host` header and for connecting.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HostPort {
    type Err = InvalidAddress;

    /// Accepts a leading `http://` and a trailing `/`, which people write by habit.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if text.starts_with("https://") {
            return Err(InvalidAddress::Https(text.to_owned()));
        }
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let invalid = || InvalidAddress::NotHostPort(text.to_owned());
        let authority: Authority = bare.parse().map_err(|_| invalid())?;
        let complete = authority.port_u16().is_some_and(|port| port != 0)
            && !authority.host().is_empty()
            && !authority.as_str().contains('@');
        complete.then_some(Self(authority)).ok_or_else(invalid)
    }
}

/// `config_server_list: [{"cluster": "community", "endpoint_list": ["host:port"]}]` (sls-proto.md §6).
fn config_servers(parameters: &mut Parameters<'_>) -> Vec<HostPort> {
    let mut servers = Vec::new();
    for (at, entry) in entries(parameters, "config_server_list") {
        for (at, text) in endpoints(parameters, &at, &entry) {
            match text.parse() {
                Ok(server) if servers.contains(&server) => {}
                Ok(server) => servers.push(server),
                Err(error) => parameters.notice(format!("{at}: {error}; ignored")),
            }
        }
    }
    servers
}

/// Version of the protocol that config servers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    V1,
    V2,
}

/// The servers to ask, and how: those of `config_server_list`, else those of version 1.
pub fn config_servers_and_protocol(parameters: &mut Parameters<'_>) -> (Vec<HostPort>, Protocol) {
    let servers = config_servers(parameters);
    let first = config_servers_v1(parameters);
    if servers.is_empty() && !first.is_empty() {
        return (first, Protocol::V1);
    }
    if !first.is_empty() {
        parameters.notice(
            "ilogtail_configserver_address is not used beside config_server_list; remove one of the two"
                .to_owned(),
        );
    }
    (servers, Protocol::V2)
}

/// `ilogtail_configserver_address: ["host:port"]` (collector.md §5.2).
fn config_servers_v1(parameters: &mut Parameters<'_>) -> Vec<HostPort> {
    const KEY: &str = "ilogtail_configserver_address";
    let list = match parameters.structure(KEY).cloned() {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            parameters.notice(format!("{KEY} must be a list of addresses, not {}; ignored", kind(&other)));
            return Vec::new();
        }
    };
    let mut servers = Vec::new();
    for (index, address) in list.iter().enumerate() {
        let Some(text) = address.as_str() else {
            parameters.notice(format!("{KEY}[{index}] must be an address, not {}; ignored", kind(address)));
            continue;
        };
        match text.trim().parse() {
            Ok(server) if servers.contains(&server) => {}
            Ok(server) => servers.push(server),
            Err(error) => parameters.notice(format!("{KEY}[{index}]: {error}; ignored")),
        }
    }
    servers
}

/// `data_servers: [{"region": …, "endpoint_list": […]}]`, or the old
/// `data_server_list: [{"cluster": …, "endpoint": …}]` (collector.md §1.6).
pub fn data_servers(parameters: &mut Parameters<'_>) -> BTreeMap<String, Vec<String>> {
    let mut servers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, region_key) in [("data_servers", "region"), ("data_server_list", "cluster")] {
        for (at, entry) in entries(parameters, key) {
            let Some(region) =
                entry.get(region_key).and_then(Value::as_str).filter(|region| !region.is_empty())
            else {
                parameters.notice(format!("{at} has no {region_key:?}; ignored"));
                continue;
            };
            for (at, text) in endpoints(parameters, &at, &entry) {
                match text.parse::<Endpoint>() {
                    Ok(_) => servers.entry(region.to_owned()).or_default().push(text),
                    Err(error) => parameters.notice(format!("{at}: {error}; ignored")),
                }
            }
        }
    }
    servers
}

/// The objects of a list, each with its place for messages.
fn entries(parameters: &mut Parameters<'_>, key: &str) -> Vec<(String, Value)> {
    let list = match parameters.structure(key).cloned() {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            parameters.notice(format!("{key} must be a list of objects, not {}; ignored", kind(&other)));
            return Vec::new();
        }
    };
    let mut objects = Vec::new();
    for (index, entry) in list.into_iter().enumerate() {
        let at = format!("{key}[{index}]");
        if entry.is_object() {
            objects.push((at, entry));
        } else {
            parameters.notice(format!("{at} must be an object, not {}; ignored", kind(&entry)));
        }
    }
    objects
}

/// `endpoint_list` of texts (or of objects with an `endpoint`), or one `endpoint`.
fn endpoints(parameters: &mut Parameters<'_>, at: &str, entry: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let list = match (entry.get("endpoint_list"), entry.get("endpoint")) {
        (Some(Value::Array(list)), _) => list.clone(),
        (None, Some(one)) => vec![one.clone()],
        (Some(other), _) => {
            parameters.notice(format!("{at}.endpoint_list must be a list, not {}; ignored", kind(other)));
            return found;
        }
        (None, None) => {
            parameters.notice(format!("{at} has no \"endpoint_list\"; ignored"));
            return found;
        }
    };
    for (index, endpoint) in list.iter().enumerate() {
        let at = format!("{at}.endpoint_list[{index}]");
        let text = endpoint.as_str().or_else(|| endpoint.get("endpoint")?.as_str()).map(str::trim);
        match text.filter(|text| !text.is_empty()) {
            Some(text) => found.push((at, text.to_owned())),
            None => parameters.notice(format!("{at} must be an address, not {}; ignored", kind(endpoint))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_host_and_port() {
        assert_eq!("127.0.0.1:8899".parse::<HostPort>().unwrap().as_str(), "127.0.0.1:8899");
        assert_eq!("http://sls.test:80/".parse::<HostPort>().unwrap().as_str(), "sls.test:80");
        assert_eq!("[::1]:80".parse::<HostPort>().unwrap().as_str(), "[::1]:80");
        for wrong in
            ["", "host", "host:", ":80", "host:0", "host:99999", "user@host:1", "a b:1", "http://h:1/path"]
        {
            assert_eq!(wrong.parse::<HostPort>(), Err(InvalidAddress::NotHostPort(wrong.into())), "{wrong}");
        }
        assert!(matches!("https://h:443".parse::<HostPort>(), Err(InvalidAddress::Https(_))));
    }
}
