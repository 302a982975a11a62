//! Rules for object names, namespaces, label keys and label values.

use serde_json::Value;

use crate::error::Cause;
use crate::meta;
use crate::registry::Resource;

/// Text of the DNS label rule in validation messages.
pub const DNS_LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
    and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
    '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED_NAME_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
    and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
    for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Finalizers that need no domain.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Characters. Source: RFC 1123.
const DNS_LABEL_MAX: usize = 63;
/// Characters. Source: RFC 1123.
const DNS_SUBDOMAIN_MAX: usize = 253;

/// True for an RFC 1123 label.
pub fn is_dns_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= DNS_LABEL_MAX
        && edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_dns_subdomain(name: &str) -> bool {
    let part = |p: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(p.chars().next())
            && edge(p.chars().last())
            && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.len() <= DNS_SUBDOMAIN_MAX && name.split('.').all(part)
}

fn is_label_value(value: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    value.is_empty()
        || (value.len() <= DNS_LABEL_MAX
            && edge(value.chars().next())
            && edge(value.chars().last())
            && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && !name.is_empty() && is_label_value(name),
        None => !key.is_empty() && is_label_value(key),
    }
}

/// Problems of the metadata of a new or changed object.
pub fn problems(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut out = Vec::new();
    name_problems(resource, meta::name(object), &mut out);
    let members = |field: &str| meta::metadata(object).and_then(|m| m.get(field)).and_then(Value::as_object);
    for (key, value) in members("labels").into_iter().flatten() {
        if !is_qualified_name(key) {
            out.push(Cause::invalid("metadata.labels", &key.as_str().into(), QUALIFIED_NAME_RULE));
        }
        match value.as_str() {
            Some(text) if is_label_value(text) => {}
            _ => out.push(Cause::invalid("metadata.labels", value, LABEL_VALUE_RULE)),
        }
    }
    for (key, value) in members("annotations").into_iter().flatten() {
        if !is_qualified_name(&key.to_lowercase()) {
            out.push(Cause::invalid("metadata.annotations", &key.as_str().into(), QUALIFIED_NAME_RULE));
        }
        if !value.is_string() {
            out.push(Cause::invalid("metadata.annotations", value, "must be a string"));
        }
    }
    for (index, finalizer) in meta::finalizers(object).into_iter().enumerate() {
        let value = finalizer.into();
        if !is_qualified_name(finalizer) {
            out.push(Cause::invalid("metadata.finalizers", &value, QUALIFIED_NAME_RULE));
        }
        if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            out.push(Cause::invalid(format!("metadata.finalizers[{index}]"), &value, detail));
        }
    }
    out
}

fn name_problems(resource: &Resource, name: &str, out: &mut Vec<Cause>) {
    if name.is_empty() {
        out.push(Cause::required("metadata.name", "name or generateName is required"));
        return;
    }
    let (fits, rule) = match resource.kind.as_str() {
        _ if resource.group == "rbac.authorization.k8s.io" => {
            (name != "." && name != ".." && !name.contains(['/', '%']), "may not contain '/' or '%'")
        }
        "Namespace" | "Service" if resource.is_builtin() => (is_dns_label(name), DNS_LABEL_RULE),
        _ => (is_dns_subdomain(name), DNS_SUBDOMAIN_RULE),
    };
    if !fits {
        out.push(Cause::invalid("metadata.name", &name.into(), rule));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        assert!(is_dns_label("web-1") && !is_dns_label("Web") && !is_dns_label("-a") && !is_dns_label("a.b"));
        assert!(is_dns_subdomain("a.b-c.d") && !is_dns_subdomain("a..b") && !is_dns_subdomain(""));
    }

    #[test]
    fn label_keys_may_have_a_prefix() {
        assert!(is_qualified_name("example.com/a_b") && is_qualified_name("app"));
        assert!(!is_qualified_name("a/b/c") && !is_qualified_name("/x") && !is_qualified_name("has space"));
    }
}
