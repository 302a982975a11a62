//! OpenAPI v3: enough for `kubectl explain`, and for kubectl to see that the
//! server validates fields itself. Strategic merge patch is left out on
//! purpose: kubectl then uses the merge keys it has compiled in.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::registry::{Registry, Resource};

/// `/openapi/v2`: a document without paths, as protobuf (swagger "2.0", an
/// info, no paths). kubectl falls back to it for kinds that no version 3
/// document has, and then says that there is no such kind.
pub const EMPTY_V2: [u8; 12] = [0x0a, 3, b'2', b'.', b'0', 0x12, 5, 0x0a, 1, b'-', 0x12, 0];
/// Media type of [`EMPTY_V2`].
pub const EMPTY_V2_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

fn group_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3`. `revision` changes when CRDs do, so that clients do not use
/// documents they have cached.
pub fn index(registry: &Registry, revision: u64) -> Value {
    let paths: BTreeSet<String> = registry.all().iter().map(|r| group_path(&r.group, &r.version)).collect();
    let entries: Map<String, Value> = paths
        .into_iter()
        .map(|path| {
            let url = format!("/openapi/v3/{path}?hash={revision}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": entries})
}

/// `/openapi/v3/api/v1` and `/openapi/v3/apis/<group>/<version>`.
pub fn document(registry: &Registry, path: &str) -> Option<Value> {
    let resources: Vec<_> =
        registry.all().into_iter().filter(|r| group_path(&r.group, &r.version) == path).collect();
    if resources.is_empty() {
        return None;
    }
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for resource in &resources {
        let name = add_schema(resource, &mut schemas);
        let item = path_item(resource, &name);
        let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        paths.insert(format!("/{path}{scope}/{}/{{name}}", resource.plural), item.clone());
        if resource.has_status {
            paths.insert(format!("/{path}{scope}/{}/{{name}}/status", resource.plural), item);
        }
    }
    Some(json!({
        "openapi": "3.0.0", "info": {"title": "kube-sim", "version": "v1.32.0"}, "paths": paths,
        "components": {"schemas": schemas},
    }))
}

fn kind_extension(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn path_item(resource: &Resource, schema: &str) -> Value {
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let reference = json!({"schema": {"$ref": format!("#/components/schemas/{schema}")}});
    let operation = |action: &str, patch: bool| {
        let mut content = Map::new();
        let types: &[&str] = if patch {
            &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
        } else {
            &["application/json"]
        };
        for media in types {
            content.insert((*media).to_owned(), reference.clone());
        }
        json!({
            "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")],
            "requestBody": {"content": content},
            "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind_extension(resource),
        })
    };
    let mut get = operation("get", false);
    if let Some(map) = get.as_object_mut() {
        map.remove("requestBody");
    }
    json!({"get": get, "put": operation("put", false), "patch": operation("patch", true)})
}

/// Adds the schema of a resource and what it refers to; returns its name.
fn add_schema(resource: &Resource, schemas: &mut Map<String, Value>) -> String {
    let reversed: Vec<&str> = resource.group.split('.').rev().filter(|p| !p.is_empty()).collect();
    let own_name = [reversed.as_slice(), &[&resource.version, &resource.kind]].concat().join(".");
    let empty = json!({"type": "object"});
    let mut root = resource.schema().map_or(empty, |s| s.json().clone());
    for (name, definition) in take(&mut root, "$defs") {
        schemas.entry(name).or_insert_with(|| converted(definition));
    }
    let reference =
        root.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()).map(str::to_owned);
    let name = reference.unwrap_or_else(|| {
        let mut schema = converted(root);
        add_type_meta(&mut schema);
        schemas.insert(own_name.clone(), schema);
        own_name
    });
    if let Some(schema) = schemas.get_mut(&name).and_then(Value::as_object_mut) {
        schema.insert("x-kubernetes-group-version-kind".into(), json!([kind_extension(resource)]));
    }
    name
}

fn take(value: &mut Value, key: &str) -> Map<String, Value> {
    match value.as_object_mut().and_then(|m| m.remove(key)) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Schemas of CRDs need not say that objects have a kind and metadata.
fn add_type_meta(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    let properties = crate::meta::object_mut(map, "properties");
    for (name, description) in [
        ("apiVersion", "APIVersion defines the versioned schema of this representation of an object."),
        ("kind", "Kind is a string value representing the REST resource this object represents."),
    ] {
        properties.entry(name).or_insert_with(|| json!({"type": "string", "description": description}));
    }
    properties
        .entry("metadata")
        .or_insert_with(|| json!({"type": "object", "description": "Standard object's metadata."}));
}

/// Rewrites references from the form of JSON Schema to that of OpenAPI.
fn converted(mut schema: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(name) =
                    map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"))
                {
                    let reference = json!({"$ref": format!("#/components/schemas/{name}")});
                    let description = map.get("description").cloned();
                    map.clear();
                    // Siblings of $ref are ignored by OpenAPI 3.0 readers.
                    map.insert("allOf".into(), json!([reference]));
                    map.extend(description.map(|d| ("description".to_owned(), d)));
                } else {
                    map.values_mut().for_each(walk);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut schema);
    schema
}
