//! From a path, a query string and headers to what the client wants.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::error::{ApiError, Cause};
use crate::table::Include;

/// Where a resource request points to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourcePath {
    /// API group; empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace; empty for cluster scope or all namespaces.
    pub namespace: String,
    /// Plural resource name.
    pub plural: String,
    /// Object name; empty for the collection.
    pub name: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// Set for the legacy `/watch/` prefix.
    pub watch: bool,
}

/// Parses `/api/v1/…` and `/apis/<group>/<version>/…`; `None` for other paths
/// and for discovery.
pub fn parse_path(path: &str) -> Option<ResourcePath> {
    let segments: Vec<String> = path
        .split('/')
        .filter(|s| !s.is_empty())
        .map(|s| percent_encoding::percent_decode_str(s).decode_utf8_lossy().into_owned())
        .collect();
    let mut rest = segments.iter().map(String::as_str);
    let (group, version) = match rest.next()? {
        "api" => ("", rest.next()?),
        "apis" => (rest.next()?, rest.next()?),
        _ => return None,
    };
    let mut rest: Vec<&str> = rest.collect();
    let watch = rest.first() == Some(&"watch");
    if watch {
        rest.remove(0);
    }
    let mut out =
        ResourcePath { group: group.into(), version: version.into(), watch, ..ResourcePath::default() };
    let set = |namespace: &str, plural: &str, name: &str, subresource: &str| {
        out.namespace = namespace.into();
        out.plural = plural.into();
        out.name = name.into();
        out.subresource = subresource.into();
    };
    let mut set = set;
    match rest.as_slice() {
        ["namespaces", name, sub @ ("status" | "finalize")] => set("", "namespaces", name, sub),
        ["namespaces", namespace, plural] => set(namespace, plural, "", ""),
        ["namespaces", namespace, plural, name] => set(namespace, plural, name, ""),
        ["namespaces", namespace, plural, name, sub] => set(namespace, plural, name, sub),
        [plural] => set("", plural, "", ""),
        [plural, name] => set("", plural, name, ""),
        [plural, name, sub] => set("", plural, name, sub),
        _ => return None,
    }
    Some(out)
}

/// The query string.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a raw query string; malformed pairs are dropped.
    pub fn parse(raw: &str) -> Self {
        Self(serde_urlencoded::from_str(raw).unwrap_or_default())
    }

    /// The first value of a parameter; empty if missing.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    }

    /// True for `true`, `1` and a bare parameter.
    pub fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|(k, v)| k == name && matches!(v.as_str(), "true" | "1" | "t" | "True"))
    }

    /// An integer parameter.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                ApiError::BadRequest(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            }),
        }
    }

    /// The `resourceVersion` parameter; 0 if missing.
    pub fn resource_version(&self) -> Result<u64, ApiError> {
        let text = self.get("resourceVersion");
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| {
            ApiError::BadRequest(format!(
                "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing \
                 {text:?}: invalid syntax"
            ))
        })
    }

    /// True for `dryRun=All`; `options` names the options it is part of.
    pub fn dry_run(&self, options: &str) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => {
                let cause = Cause::not_supported("dryRun", &vec![other].into(), &["All".to_owned()]);
                Err(ApiError::options(options, cause))
            }
        }
    }
}

/// In what form the client wants the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Representation {
    /// The objects themselves.
    Full,
    /// A `meta.k8s.io` Table of the given version.
    Table(String, Include),
    /// Metadata only, of the given version.
    Metadata(String),
}

/// Picks the first acceptable form of an `Accept` header.
pub fn negotiate(headers: &HeaderMap, query: &Query) -> Result<Representation, ApiError> {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let mut kind = "";
        let mut version = "v1";
        for part in parts {
            match part.split_once('=') {
                Some(("as", value)) => kind = value,
                Some(("v", value)) => version = value,
                _ => {}
            }
        }
        let json = matches!(media, "application/json" | "*/*" | "application/*" | "");
        match kind {
            _ if !json => {}
            "" => return Ok(Representation::Full),
            "Table" => {
                let include = Include::parse(query.get("includeObject"));
                return Ok(Representation::Table(version.to_owned(), include));
            }
            "PartialObjectMetadata" | "PartialObjectMetadataList" => {
                return Ok(Representation::Metadata(version.to_owned()));
            }
            _ => {}
        }
    }
    Err(ApiError::NotAcceptable)
}

/// Formats of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// An object.
    Object,
    /// RFC 6902.
    JsonPatch,
    /// RFC 7386.
    MergePatch,
    /// Strategic merge patch.
    StrategicPatch,
    /// Server-side apply.
    Apply,
}

/// Media types of objects.
const OBJECT_TYPES: &str = "application/json, application/yaml";

/// The format a request body is in.
pub fn body_kind(method: &Method, headers: &HeaderMap) -> Result<BodyKind, ApiError> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if method == Method::PATCH {
        return match media {
            "application/json-patch+json" => Ok(BodyKind::JsonPatch),
            "application/merge-patch+json" => Ok(BodyKind::MergePatch),
            "application/strategic-merge-patch+json" => Ok(BodyKind::StrategicPatch),
            "application/apply-patch+yaml" | "application/apply-patch+json" => Ok(BodyKind::Apply),
            _ => Err(ApiError::UnsupportedPatch),
        };
    }
    match media {
        "" | "application/json" | "application/yaml" | "*/*" => Ok(BodyKind::Object),
        _ => Err(ApiError::UnsupportedMediaType(OBJECT_TYPES)),
    }
}

/// A parsed body.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The value; null for an empty body.
    pub value: Value,
    /// Fields that stood twice in it.
    pub duplicates: Vec<String>,
}

fn is_yaml(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_none_or(|v| v.contains("yaml"))
}

/// Parses a JSON or YAML body.
pub fn parse_body(headers: &HeaderMap, bytes: &Bytes) -> Result<Body, ApiError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ApiError::BadRequest("the request body is not UTF-8 text".into()))?;
    if text.trim().is_empty() {
        return Ok(Body::default());
    }
    // YAML includes JSON, and clients send either under either name.
    let json = serde_json::from_str(text);
    if let Ok(value) = json {
        return Ok(Body { value: with_whole_numbers(value), duplicates: crate::duplicates::find(text) });
    }
    if let (false, Err(error)) = (is_yaml(headers), json) {
        return Err(ApiError::BadRequest(format!("error decoding the request body as JSON: {error}")));
    }
    let value = serde_saphyr::from_str(text)
        .map_err(|e| ApiError::BadRequest(format!("error decoding the request body as YAML: {e}")))?;
    Ok(Body { value: with_whole_numbers(value), duplicates: Vec::new() })
}

/// `7300.0` is written back as `7300`, as the real server's encoder does.
fn with_whole_numbers(value: Value) -> Value {
    /// Up to here every whole number is exact as a float.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() <= EXACT_MAX);
            #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
            float.map_or(Value::Number(number), |f| Value::from(f as i64))
        }
        Value::Array(list) => list.into_iter().map(with_whole_numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, with_whole_numbers(value))).collect(),
        other => other,
    }
}

/// The field manager of a request: the parameter, or the program name of the
/// user agent, as on the real server.
pub fn field_manager(query: &Query, headers: &HeaderMap) -> String {
    /// Characters. Source: Kubernetes API reference, fieldManager.
    const MANAGER_MAX: usize = 128;
    let explicit = query.get("fieldManager");
    if !explicit.is_empty() {
        return explicit.chars().take(MANAGER_MAX).collect();
    }
    let agent = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("unknown");
    let program = agent.split('/').next().unwrap_or(agent);
    let program = if program.is_empty() { "unknown" } else { program };
    program.chars().take(MANAGER_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: (&str, &str, &str, &str, &str, &str)) {
        let p = parse_path(path).unwrap();
        let found = (&*p.group, &*p.version, &*p.namespace, &*p.plural, &*p.name, &*p.subresource);
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_name_group_version_namespace_resource_and_subresource() {
        check("/api/v1/pods", ("", "v1", "", "pods", "", ""));
        check("/api/v1/namespaces/default", ("", "v1", "", "namespaces", "default", ""));
        check("/api/v1/namespaces/default/status", ("", "v1", "", "namespaces", "default", "status"));
        check("/api/v1/namespaces/default/pods/a/log", ("", "v1", "default", "pods", "a", "log"));
        check(
            "/apis/apps/v1/namespaces/x/deployments/d/scale",
            ("apps", "v1", "x", "deployments", "d", "scale"),
        );
        check("/apis/g.io/v1/widgets/w/status", ("g.io", "v1", "", "widgets", "w", "status"));
        check("/apis/g.io/v1/widgets/a%3Ab", ("g.io", "v1", "", "widgets", "a:b", ""));
        assert!(parse_path("/api/v1").is_none() && parse_path("/version").is_none());
    }

    #[test]
    fn the_first_acceptable_representation_wins() {
        let with = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            negotiate(&headers, &Query::default())
        };
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(with(table).unwrap(), Representation::Table("v1".into(), Include::Metadata));
        assert_eq!(
            with("application/vnd.kubernetes.protobuf,application/json").unwrap(),
            Representation::Full
        );
        assert!(matches!(with("application/vnd.kubernetes.protobuf"), Err(ApiError::NotAcceptable)));
    }
}
