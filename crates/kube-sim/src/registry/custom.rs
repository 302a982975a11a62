//! CRDs: from a stored `CustomResourceDefinition` object to the resources it
//! makes the server serve, and the checks a CRD must pass before that.

use std::sync::Arc;

use serde_json::Value;

use super::{Form, Resource, ScalePaths};
use crate::cel::Rules;
use crate::error::Cause;
use crate::meta;
use crate::schema::{Origin, Schema};
use crate::table::Column;

/// What only kinds of CRDs have.
#[derive(Debug)]
pub struct CustomVersion {
    /// Structural schema; `None` keeps everything as it comes.
    pub schema: Option<Schema>,
    /// CEL rules of that schema, compiled.
    pub rules: Rules,
    /// Printer columns.
    pub columns: Vec<Column>,
    /// Fields by which objects can be selected, beside name and namespace.
    pub selectable_fields: Vec<String>,
}

fn names(crd: &Value, field: &str) -> Vec<String> {
    let list = meta::at(crd, &["spec", "names", field]).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Storage name of the objects of a CRD, which is the CRD's own name.
pub fn storage_name(crd: &Value) -> Arc<str> {
    meta::name(crd).into()
}

/// Versions of a CRD, served or not.
pub fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    meta::at(crd, &["spec", "versions"]).and_then(Value::as_array).into_iter().flatten()
}

/// The served versions of a CRD as resources.
pub fn resources(crd: &Value) -> Vec<Resource> {
    let spec = |path: &[&str]| meta::str_at(crd, &[&["spec"], path].concat()).to_owned();
    versions(crd)
        .filter(|v| v.get("served").and_then(Value::as_bool).unwrap_or(false))
        .map(|version| {
            let schema = meta::at(version, &["schema", "openAPIV3Schema"]).cloned();
            Resource {
                group: spec(&["group"]),
                version: meta::str_at(version, &["name"]).to_owned(),
                kind: spec(&["names", "kind"]),
                list_kind: spec(&["names", "listKind"]),
                plural: spec(&["names", "plural"]),
                singular: spec(&["names", "singular"]),
                short_names: names(crd, "shortNames"),
                categories: names(crd, "categories"),
                namespaced: spec(&["scope"]) == "Namespaced",
                has_status: meta::at(version, &["subresources", "status"]).is_some(),
                scale: meta::at(version, &["subresources", "scale"]).map(scale_paths),
                storage: storage_name(crd),
                form: Form::Custom(Box::new(CustomVersion {
                    rules: Rules::compile(schema.as_ref()),
                    schema: schema.map(|s| Schema::new(s, Origin::Custom)),
                    columns: columns(version),
                    selectable_fields: selectable_fields(version),
                })),
            }
        })
        .collect()
}

fn scale_paths(scale: &Value) -> ScalePaths {
    let path = |field: &str| -> Vec<String> {
        let text = scale.get(field).and_then(Value::as_str).unwrap_or_default();
        text.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect()
    };
    ScalePaths {
        spec: path("specReplicasPath"),
        status: path("statusReplicasPath"),
        selector: Some(path("labelSelectorPath")).filter(|p| !p.is_empty()),
    }
}

fn selectable_fields(version: &Value) -> Vec<String> {
    let declared = version.get("selectableFields").and_then(Value::as_array);
    let paths = declared.into_iter().flatten().map(|f| meta::str_at(f, &["jsonPath"]));
    paths.map(|p| p.trim_start_matches('.').to_owned()).collect()
}

fn columns(version: &Value) -> Vec<Column> {
    let declared = version.get("additionalPrinterColumns").and_then(Value::as_array);
    let columns: Vec<Column> = declared.into_iter().flatten().map(Column::from_crd).collect();
    if columns.is_empty() { vec![Column::age()] } else { columns }
}

/// Fills in what the server derives: singular, list kind, conversion.
pub fn default_crd(crd: &mut Value) {
    let kind = meta::str_at(crd, &["spec", "names", "kind"]).to_owned();
    let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let names = meta::object_mut(spec, "names");
    meta::default_to(names, "singular", kind.to_lowercase());
    meta::default_to(names, "listKind", format!("{kind}List"));
    let conversion = meta::object_mut(spec, "conversion");
    meta::default_to(conversion, "strategy", "None");
}

/// Problems that keep a CRD from being accepted.
pub fn problems(crd: &Value) -> Vec<Cause> {
    let mut out = Vec::new();
    let text = |path: &[&str]| meta::str_at(crd, path);
    let (group, plural) = (text(&["spec", "group"]), text(&["spec", "names", "plural"]));
    for (path, field) in [
        (["spec", "group"].as_slice(), "spec.group"),
        (&["spec", "names", "plural"], "spec.names.plural"),
        (&["spec", "names", "kind"], "spec.names.kind"),
    ] {
        if text(path).is_empty() {
            out.push(Cause::required(field, ""));
        }
    }
    let expected = format!("{plural}.{group}");
    if meta::name(crd) != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        out.push(Cause::invalid("metadata.name", &meta::name(crd).into(), detail));
    }
    if !group.contains('.')
        || group.ends_with(".k8s.io")
            && text(&["metadata", "annotations", "api-approved.kubernetes.io"]).is_empty()
    {
        let detail = "should be a domain with at least one dot, and protected groups (*.k8s.io) need the api-approved.kubernetes.io annotation";
        out.push(Cause::invalid("spec.group", &group.into(), detail));
    }
    if !matches!(text(&["spec", "scope"]), "Namespaced" | "Cluster") {
        let allowed = ["Cluster".to_owned(), "Namespaced".to_owned()];
        out.push(Cause::not_supported("spec.scope", &text(&["spec", "scope"]).into(), &allowed));
    }
    let stored = versions(crd).filter(|v| v.get("storage").and_then(Value::as_bool) == Some(true)).count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        out.push(Cause::invalid("spec.versions", &Value::from(stored), detail));
    }
    for (index, version) in versions(crd).enumerate() {
        // A single version is looked at as in the former API version.
        let path = if versions(crd).count() == 1 && version.get("schema").is_some() {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("spec.versions[{index}].schema.openAPIV3Schema")
        };
        match meta::at(version, &["schema", "openAPIV3Schema"]) {
            None => out.push(Cause::required(path, "")),
            Some(schema) => {
                structural_problems(schema, &path, true, &mut out);
                out.extend(Rules::compile(Some(schema)).problems(&path));
            }
        }
    }
    out
}

/// Depth beyond which a schema is refused.
const SCHEMA_DEPTH_MAX: usize = 64;

fn structural_problems(schema: &Value, path: &str, root: bool, out: &mut Vec<Cause>) {
    if path.matches('.').count() > SCHEMA_DEPTH_MAX * 2 {
        out.push(Cause::invalid(path, &Value::Null, "the schema is nested too deeply"));
        return;
    }
    let typ = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
    if typ.is_empty() && !flag("x-kubernetes-int-or-string") && !flag("x-kubernetes-preserve-unknown-fields")
    {
        let detail = if root {
            "must not be empty at the root"
        } else {
            "must not be empty for specified object fields"
        };
        out.push(Cause::required(format!("{path}.type"), detail));
    }
    if root && typ != "object" && !typ.is_empty() {
        out.push(Cause::invalid(format!("{path}.type"), &typ.into(), "must be object at the root"));
    }
    if typ == "array" && schema.get("items").is_none() {
        out.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_some() {
        let detail = "additionalProperties and properties are mutual exclusive";
        out.push(Cause::forbidden(format!("{path}.additionalProperties"), detail));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && let Err(error) = regex::Regex::new(pattern)
    {
        out.push(Cause::invalid(
            format!("{path}.pattern"),
            &pattern.into(),
            &format!("must be a valid regular expression: {error}"),
        ));
    }
    if schema.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("map")
        && schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array).is_none_or(Vec::is_empty)
    {
        out.push(Cause::required(
            format!("{path}.x-kubernetes-list-map-keys"),
            "must not be empty if x-kubernetes-list-type is map",
        ));
    }
    for (name, child) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        // The server owns these at the root; their declared shape is ignored.
        if root && matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
            continue;
        }
        structural_problems(child, &format!("{path}.properties[{name}]"), false, out);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(child) = schema.get(keyword).filter(|c| c.is_object()) {
            structural_problems(child, &format!("{path}.{keyword}"), false, out);
        }
    }
}

/// What a CRD says of itself before anybody looked at it.
pub fn accept(crd: &mut Value) {
    let Some(map) = crd.as_object_mut() else { return };
    let status = meta::object_mut(map, "status");
    status.insert("acceptedNames".into(), serde_json::json!({"plural": "", "kind": ""}));
    store_versions(crd);
}

/// Notes the version in which objects are stored from now on.
fn store_versions(crd: &mut Value) {
    let stored: Vec<Value> = versions(crd)
        .filter(|v| v.get("storage").and_then(Value::as_bool) == Some(true))
        .filter_map(|v| v.get("name").cloned())
        .collect();
    let Some(map) = crd.as_object_mut() else { return };
    let versions =
        meta::object_mut(map, "status").entry("storedVersions").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = versions {
        let fresh: Vec<Value> = stored.into_iter().filter(|v| !list.contains(v)).collect();
        list.extend(fresh);
    }
}

/// Sets the conditions that say that the names are accepted and the resource
/// is served, and the accepted names themselves.
pub fn establish(crd: &mut Value, now: &str) {
    let accepted = meta::at(crd, &["spec", "names"]).cloned().unwrap_or_else(|| serde_json::json!({}));
    store_versions(crd);
    let Some(map) = crd.as_object_mut() else { return };
    let status = meta::object_mut(map, "status");
    status.insert("acceptedNames".into(), accepted);
    set_condition(status, "NamesAccepted", "NoConflicts", "no conflicts found", now);
    set_condition(status, "Established", "InitialNamesAccepted", "the initial names have been accepted", now);
}

/// Marks a CRD whose objects are being removed.
pub fn mark_terminating(crd: &mut Value, now: &str) {
    let Some(map) = crd.as_object_mut() else { return };
    let status = meta::object_mut(map, "status");
    set_condition(
        status,
        "Terminating",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        now,
    );
}

fn set_condition(
    status: &mut serde_json::Map<String, Value>,
    kind: &str,
    reason: &str,
    message: &str,
    now: &str,
) {
    let list = status.entry("conditions").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(list) = list else { return };
    if list.iter().any(|c| meta::str_at(c, &["type"]) == kind && meta::str_at(c, &["status"]) == "True") {
        return;
    }
    list.retain(|c| meta::str_at(c, &["type"]) != kind);
    list.push(serde_json::json!({
        "lastTransitionTime": now, "message": message, "reason": reason, "status": "True", "type": kind,
    }));
}
