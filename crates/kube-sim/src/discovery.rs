//! What the server serves, as documents: `/version`, `/api`, `/apis` and the
//! resource lists, in the classic and the aggregated form.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use http::header::ACCEPT;
use serde_json::{Value, json};

use crate::registry::{Registry, Resource};

/// Version of Kubernetes this server claims to be; the one whose wording and
/// kinds it follows.
const MINOR: &str = "32";

/// `/version`.
pub fn version() -> Value {
    json!({
        "major": "1", "minor": MINOR, "gitVersion": format!("v1.{MINOR}.0-kube-sim"), "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `/api`.
pub fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

type Versions = BTreeMap<String, Vec<Arc<Resource>>>;

/// Resources by group and version.
fn groups(registry: &Registry) -> BTreeMap<String, Versions> {
    let mut out: BTreeMap<String, Versions> = BTreeMap::new();
    for resource in registry.all() {
        out.entry(resource.group.clone())
            .or_default()
            .entry(resource.version.clone())
            .or_default()
            .push(resource);
    }
    out
}

/// Versions of a group, best first: `v2`, `v1`, `v1beta2`, `v1beta1`,
/// `v1alpha1`, then anything else by name.
fn by_priority(versions: &Versions) -> Vec<&String> {
    let mut names: Vec<&String> = versions.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(priority(name)));
    names
}

fn priority(version: &str) -> (u8, u32, u32) {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let major = digits(rest);
    let rest = rest.get(major.len()..).unwrap_or_default();
    let major = major.parse().unwrap_or(0);
    let stage = |prefix: &str| rest.strip_prefix(prefix).and_then(|n| n.parse().ok());
    match (rest, stage("beta"), stage("alpha")) {
        ("", _, _) => (3, major, 0),
        (_, Some(n), _) => (2, major, n),
        (_, _, Some(n)) => (1, major, n),
        _ => (0, 0, 0),
    }
}

fn group_value(name: &str, versions: &Versions) -> Value {
    let list: Vec<Value> = by_priority(versions)
        .into_iter()
        .map(|v| json!({"groupVersion": format!("{name}/{v}"), "version": v}))
        .collect();
    json!({"name": name, "versions": list, "preferredVersion": list.first()})
}

/// `/apis`.
pub fn group_list(registry: &Registry) -> Value {
    let list: Vec<Value> = groups(registry)
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, v)| group_value(name, v))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list})
}

/// `/apis/<group>`.
pub fn group(registry: &Registry, name: &str) -> Option<Value> {
    let groups = groups(registry);
    let mut value = group_value(name, groups.get(name)?);
    let map = value.as_object_mut()?;
    map.insert("kind".into(), "APIGroup".into());
    map.insert("apiVersion".into(), "v1".into());
    Some(value)
}

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

/// A subresource for discovery.
struct Sub {
    name: &'static str,
    /// Group, version and kind, where they differ from the parent's.
    kind: Option<(&'static str, &'static str, &'static str)>,
    verbs: &'static [&'static str],
}

fn subresources(resource: &Resource) -> Vec<Sub> {
    let mut out = Vec::new();
    if resource.is("", "Pod") {
        out.push(Sub { name: "binding", kind: Some(("", "v1", "Binding")), verbs: &["create"] });
        out.push(Sub { name: "eviction", kind: Some(("policy", "v1", "Eviction")), verbs: &["create"] });
        out.push(Sub { name: "log", kind: None, verbs: &["get"] });
    }
    if resource.is("", "Namespace") {
        out.push(Sub { name: "finalize", kind: None, verbs: &["update"] });
    }
    let scale = Sub { name: "scale", kind: Some(("autoscaling", "v1", "Scale")), verbs: &STATUS_VERBS };
    let status = Sub { name: "status", kind: None, verbs: &STATUS_VERBS };
    let mut both = vec![(resource.scale.is_some(), scale), (resource.has_status, status)];
    if !resource.is_builtin() {
        both.reverse();
    }
    out.extend(both.into_iter().filter(|(served, _)| *served).map(|(_, sub)| sub));
    out
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let groups = groups(registry);
    let resources = groups.get(group)?.get(version)?;
    let mut list = Vec::new();
    for resource in resources {
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": VERBS,
        });
        if let Some(map) = entry.as_object_mut() {
            if !resource.short_names.is_empty() {
                map.insert("shortNames".into(), resource.short_names.clone().into());
            }
            if !resource.categories.is_empty() {
                map.insert("categories".into(), resource.categories.clone().into());
            }
        }
        list.push(entry);
        for sub in subresources(resource) {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, sub.name), "singularName": "",
                "namespaced": resource.namespaced, "kind": sub.kind.map_or(resource.kind.as_str(), |(_, _, k)| k),
                "verbs": sub.verbs,
            });
            if let (Some((group, version, _)), Some(map)) = (sub.kind, entry.as_object_mut()) {
                map.insert("group".into(), group.into());
                map.insert("version".into(), version.into());
            }
            list.push(entry);
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}),
    )
}

/// True if the client asks for aggregated discovery; the version it wants.
pub fn wants_aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let accept = headers.get(ACCEPT)?.to_str().ok()?;
    let range = accept.split(',').find(|r| r.contains("as=APIGroupDiscoveryList"))?;
    if range.contains("v=v2beta1") { Some("v2beta1") } else { Some("v2") }
}

/// `/api` (core only) or `/apis` (the others) in the aggregated form.
pub fn aggregated(registry: &Registry, core: bool, version: &str) -> Value {
    let items: Vec<Value> = groups(registry)
        .iter()
        .filter(|(name, _)| name.is_empty() == core)
        .map(|(name, versions)| {
            let list: Vec<Value> = by_priority(versions)
                .into_iter()
                .filter_map(|v| Some((v, versions.get(v)?)))
                .map(|(v, resources)| {
                    let resources: Vec<Value> = resources.iter().map(|r| aggregated_resource(r)).collect();
                    json!({"version": v, "freshness": "Current", "resources": resources})
                })
                .collect();
            json!({"metadata": {"name": name, "creationTimestamp": null}, "versions": list})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind =
        |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let own = kind(&resource.group, &resource.version, &resource.kind);
    let subs: Vec<Value> = subresources(resource)
        .iter()
        .map(|s| {
            let kind = s.kind.map_or_else(|| own.clone(), |(g, v, k)| kind(g, v, k));
            json!({"subresource": s.name, "responseKind": kind, "verbs": s.verbs})
        })
        .collect();
    json!({
        "resource": resource.plural, "responseKind": own, "singularResource": resource.singular,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" }, "shortNames": resource.short_names,
        "categories": resource.categories, "verbs": VERBS, "subresources": subs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_before_beta_and_alpha() {
        let mut versions = ["v1alpha1", "v2", "v1beta2", "v1", "weird", "v1beta1"];
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "weird"]);
    }
}
