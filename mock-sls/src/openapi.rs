//! The API description as OpenAPI 3.1, made from the table of operations and the types in it.
//! Served by [`crate::admin`]; `docs/openapi.json` is the same.
//!
//! OpenAPI knows one operation for a method and path. Where a query parameter tells several
//! apart, it is written into the path, and `#account` stands behind a path that means another
//! operation on the bare endpoint than on a project's host.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sls_api::operation::shape::{self, Shape};
use sls_api::operation::{Endpoint, Operation, Scope, WireBody};
use sls_api::ops::documents::{self, Call, Key, Kind, Verb};
use sls_api::ops::{Visitor, visit_all};

use crate::reference;
use crate::route::Group;

/// The whole description of a server that serves these.
pub fn document(groups: &[Arc<Group>]) -> Value {
    let entries = groups.iter().flat_map(|group| &group.entries);
    let anonymous = entries.filter(|entry| entry.anonymous).map(|entry| entry.endpoint.name).collect();
    let mut description = Description { anonymous, paths: Map::new() };
    visit_all(&mut description);
    for kind in documents::kinds() {
        for call in kind.calls {
            description.add(&kind.endpoint(call), document_parts(kind, call));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Simple Log Service, as mock-sls answers it",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The project is the first label of the host name. A query parameter in a path \
                tells operations apart that share it; #account marks an operation of the bare endpoint.",
        },
        "servers": [
            {
                "url": "http://{project}.{endpoint}",
                "variables": {
                    "project": { "default": "proj-a" },
                    "endpoint": { "default": "localhost:8080" },
                },
            },
        ],
        "paths": description.paths,
        "components": {
            "responses": {
                "Error": {
                    "description": "Any status but 200",
                    "content": json_content(json!({
                        "type": "object",
                        "properties": { "errorCode": { "type": "string" }, "errorMessage": { "type": "string" } },
                        "required": ["errorCode", "errorMessage"],
                    })),
                },
            },
            "securitySchemes": {
                "signature": { "type": "apiKey", "in": "header", "name": "Authorization" },
            },
        },
        "security": [{ "signature": [] }],
    })
}

/// What an operation takes and gives.
struct Parts {
    parameters: Vec<Value>,
    body: Shape,
    reply: Shape,
}

struct Description {
    /// Operations that need no signature.
    anonymous: BTreeSet<&'static str>,
    paths: Map<String, Value>,
}

impl Visitor for Description {
    fn visit<O: Operation>(&mut self) {
        let parameters = shape::fields::<O::Query>().iter().map(|name| parameter::<O::Query>(name)).collect();
        self.add(&O::ENDPOINT, Parts { parameters, body: O::Body::shape(), reply: O::Reply::shape() });
    }
}

impl Description {
    fn add(&mut self, endpoint: &Endpoint, parts: Parts) {
        let method = endpoint.method.as_str().to_ascii_lowercase();
        let mut path = endpoint.path.to_owned();
        if let Some((key, value)) = endpoint.selector {
            path = format!("{path}?{key}={value}");
        }
        if endpoint.scope == Scope::Account
            && self.paths.get(&path).is_some_and(|at| at.get(&method).is_some())
        {
            path.push_str("#account");
        }
        let at = self.paths.entry(path).or_insert_with(|| json!({}));
        let mut described = operation(endpoint, parts);
        if self.anonymous.contains(endpoint.name) {
            described["security"] = json!([]);
        }
        at[method] = described;
    }
}

fn operation(endpoint: &Endpoint, parts: Parts) -> Value {
    let in_path = endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let parameters: Vec<Value> = in_path.chain(parts.parameters).collect();
    let standing = reference::standing(endpoint).into_iter().filter(|(_, value)| !value.is_null());
    let mut described: Map<String, Value> =
        standing.map(|(key, value)| (format!("x-{key}"), value)).collect();
    described.insert("operationId".to_owned(), endpoint.name.into());
    described.insert("parameters".to_owned(), parameters.into());
    if let Some(content) = content(parts.body) {
        described.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    let mut success = json!({ "description": "Success" });
    if let Some(content) = content(parts.reply) {
        success["content"] = content;
    }
    let error = json!({ "$ref": "#/components/responses/Error" });
    described.insert("responses".to_owned(), json!({ "200": success, "default": error }));
    Value::Object(described)
}

fn json_content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn content(shape: Shape) -> Option<Value> {
    match shape {
        Shape::Nothing => None,
        Shape::Json(schema) => Some(json_content(schema)),
        Shape::Bytes(content_type) => Some(json!({ content_type: {} })),
    }
}

/// A query parameter, whose type shows in what it refuses: all are texts on the wire.
fn parameter<Q: serde::de::DeserializeOwned>(name: &str) -> Value {
    let refuses = |value: &str| {
        let read = serde_urlencoded::from_str::<Q>(&format!("{name}={value}"));
        read.is_err_and(|error| error.to_string().contains("invalid"))
    };
    let kind = match (refuses("x"), refuses("1")) {
        (false, _) => "string",
        (true, false) => "integer",
        (true, true) => "boolean",
    };
    query_parameter(name, kind)
}

fn query_parameter(name: &str, kind: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": { "type": kind } })
}

/// What an operation on documents takes and gives.
fn document_parts(kind: &Kind, call: &Call) -> Parts {
    let text = |name: &&'static str| query_parameter(name, "string");
    let object = || Shape::Json(document_schema(kind));
    let mut parts = Parts { parameters: Vec::new(), body: Shape::Nothing, reply: Shape::Nothing };
    match call.verb {
        Verb::Create | Verb::Update | Verb::Put => parts.body = object(),
        Verb::PutMany(list) => {
            let items = json!({ "type": "array", "items": document_schema(kind) });
            parts.body = Shape::Json(json!({ "type": "object", "properties": { list: items } }));
        }
        Verb::Get => parts.reply = object(),
        Verb::DeleteMany(names) => parts.parameters.push(text(&names)),
        Verb::List => {
            let paging = ["offset", "size"].map(|name| query_parameter(name, "integer"));
            let filters = kind.list.filters.iter().map(|filter| text(&filter.parameter));
            parts.parameters = paging.into_iter().chain(filters).collect();
            parts.reply = Shape::Json(list_schema(kind));
        }
        Verb::Delete | Verb::Act(_) => {}
    }
    if let (Key::Query(names), Verb::Get | Verb::Delete) = (kind.key, call.verb) {
        parts.parameters.extend(names.iter().map(text));
    }
    parts
}

fn document_schema(kind: &Kind) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if let Key::Field(field, rule) = kind.key {
        properties.insert(field.to_owned(), json!({ "type": "string", "description": rule.words() }));
        required.push(field);
    }
    for (field, shape) in kind.required {
        properties.insert((*field).to_owned(), field_schema(*shape));
        required.push(field);
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn field_schema(shape: documents::Shape) -> Value {
    use documents::Shape as S;
    match shape {
        S::Text => json!({ "type": "string" }),
        S::Object => json!({ "type": "object" }),
        S::List => json!({ "type": "array" }),
        S::Number => json!({ "type": "integer" }),
        S::Bool => json!({ "type": "boolean" }),
        S::OneOf(texts) => json!({ "type": "string", "enum": texts }),
    }
}

fn list_schema(kind: &Kind) -> Value {
    let mut properties = Map::new();
    for field in ["count", "total"] {
        properties.insert(field.to_owned(), json!({ "type": "integer" }));
    }
    if !kind.list.names.is_empty() {
        let names = json!({ "type": "array", "items": { "type": "string" } });
        properties.insert(kind.list.names.to_owned(), names);
    }
    if !kind.list.items.is_empty() {
        let items = json!({ "type": "array", "items": { "type": "object" } });
        properties.insert(kind.list.items.to_owned(), items);
    }
    json!({ "type": "object", "properties": properties })
}
