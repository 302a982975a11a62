//! Structural schemas: of custom resources (from their CRD) and of built-in
//! kinds (from `k8s-openapi`). `admit` uses them to prune, default and
//! validate; `patch::apply` asks them for list and map semantics; `openapi`
//! publishes them.

pub mod defaults;
pub mod go_names;
pub mod prune;
pub mod validate;

use serde_json::Value;

/// Where a schema comes from: the two families differ in what an object
/// without declared properties means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A CRD: an object without properties is an empty object.
    Custom,
    /// A built-in kind: an object without properties is free-form.
    Builtin,
}

/// A schema with its definitions.
#[derive(Debug)]
pub struct Schema {
    root: Value,
    origin: Origin,
}

impl Schema {
    /// `root` is an OpenAPI v3 schema; `$ref`s point into its `$defs`.
    pub fn new(root: Value, origin: Origin) -> Self {
        Self { root, origin }
    }

    /// The node that describes the whole object.
    pub fn root(&self) -> Node<'_> {
        Node::new(self, &self.root)
    }

    /// The schema as JSON.
    pub fn json(&self) -> &Value {
        &self.root
    }
}

fn resolve<'a>(root: &'a Value, mut node: &'a Value) -> &'a Value {
    /// References to references do not occur in practice; this ends cycles.
    const REFERENCE_HOPS_MAX: usize = 8;
    for _ in 0..REFERENCE_HOPS_MAX {
        let Some(pointer) = node.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#")) else {
            break;
        };
        match root.pointer(pointer) {
            Some(target) => node = target,
            None => break,
        }
    }
    node
}

/// One node of a schema.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    schema: &'a Schema,
    node: &'a Value,
    /// Last part of the name of the definition the node refers to.
    definition: &'a str,
}

/// What an object may hold beside its declared properties.
pub enum Additional<'a> {
    /// Nothing.
    None,
    /// Anything.
    Any,
    /// Values of this schema.
    Schema(Node<'a>),
}

impl<'a> Node<'a> {
    fn new(schema: &'a Schema, node: &'a Value) -> Self {
        let reference = node.get("$ref").and_then(Value::as_str).unwrap_or_default();
        let definition = reference.rsplit(['.', '/']).next().unwrap_or_default();
        Self { schema, node: resolve(&schema.root, node), definition }
    }

    fn at(self, node: &'a Value) -> Self {
        Self::new(self.schema, node)
    }

    /// Name of the type the node refers to; empty for types without a name.
    pub fn definition(self) -> &'a str {
        self.definition
    }

    /// A keyword of the node.
    pub fn keyword(self, name: &str) -> Option<&'a Value> {
        self.node.get(name)
    }

    /// A boolean keyword; false if missing.
    pub fn flag(self, name: &str) -> bool {
        self.keyword(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// `type`, or empty.
    pub fn kind(self) -> &'a str {
        self.keyword("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Where the schema comes from.
    pub fn origin(self) -> Origin {
        self.schema.origin
    }

    /// A declared property.
    pub fn property(self, name: &str) -> Option<Node<'a>> {
        self.keyword("properties")?.get(name).map(|n| self.at(n))
    }

    /// All declared properties.
    pub fn properties(self) -> impl Iterator<Item = (&'a String, Node<'a>)> {
        self.keyword("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(move |(k, n)| (k, self.at(n)))
    }

    /// What else the object may hold.
    pub fn additional(self) -> Additional<'a> {
        match self.keyword("additionalProperties") {
            Some(Value::Bool(true)) => Additional::Any,
            Some(node @ Value::Object(_)) => Additional::Schema(self.at(node)),
            _ if self.preserves_unknown() => Additional::Any,
            _ => Additional::None,
        }
    }

    /// The schema of a member of an object, declared or additional.
    pub fn member(self, name: &str) -> Option<Node<'a>> {
        self.property(name).or_else(|| match self.additional() {
            Additional::Schema(node) => Some(node),
            Additional::None | Additional::Any => None,
        })
    }

    /// The schema of list items.
    pub fn items(self) -> Option<Node<'a>> {
        self.keyword("items").filter(|n| n.is_object()).map(|n| self.at(n))
    }

    /// True if unknown members are kept.
    pub fn preserves_unknown(self) -> bool {
        let free_form = self.schema.origin == Origin::Builtin && self.keyword("properties").is_none();
        self.flag("x-kubernetes-preserve-unknown-fields") || free_form
    }

    /// True for `x-kubernetes-int-or-string`.
    pub fn int_or_string(self) -> bool {
        self.flag("x-kubernetes-int-or-string")
    }

    /// True for `nullable`.
    pub fn nullable(self) -> bool {
        self.flag("nullable")
    }

    /// True for a whole Kubernetes object inside of this one.
    pub fn embedded_resource(self) -> bool {
        self.flag("x-kubernetes-embedded-resource")
    }

    /// Schemas of a combinator (`allOf`, `anyOf`, `oneOf`).
    pub fn branches(self, combinator: &str) -> Vec<Node<'a>> {
        let list = self.keyword(combinator).and_then(Value::as_array);
        list.into_iter().flatten().map(|n| self.at(n)).collect()
    }

    /// The schema under `not`.
    pub fn not(self) -> Option<Node<'a>> {
        self.keyword("not").map(|n| self.at(n))
    }

    /// `x-kubernetes-list-type`, or empty.
    pub fn list_type(self) -> &'a str {
        self.keyword("x-kubernetes-list-type").and_then(Value::as_str).unwrap_or_default()
    }

    /// `x-kubernetes-list-map-keys`.
    pub fn list_map_keys(self) -> Vec<&'a str> {
        let keys = self.keyword("x-kubernetes-list-map-keys").and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// True for `x-kubernetes-map-type: atomic`.
    pub fn atomic_map(self) -> bool {
        self.keyword("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic")
    }
}

/// Depth to which schemas are followed; deeper values are left alone. The JSON
/// parser stops at 128 levels already, so this never bites on real requests.
pub const DEPTH_MAX: usize = 140;

/// `path.name`, or `name` at the root; names that are not plain identifiers
/// are put in brackets.
pub fn join(path: &str, name: &str) -> String {
    let plain =
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '$');
    match (path.is_empty(), plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{name}]"),
    }
}
