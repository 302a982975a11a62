//! How lists and maps of an object merge: by the schema for custom resources,
//! by a table of known fields for built-in kinds and for `metadata`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::registry::Resource;
use crate::schema::Node;

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Items are identified by these members.
    Map(Vec<String>),
}

/// A place in an object, known well enough to say how values merge there.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    node: Option<Node<'a>>,
    /// True if the table of known fields applies.
    known_fields: bool,
    field: &'a str,
    parent: &'a str,
    kind: &'a str,
}

impl<'a> Shape<'a> {
    /// The shape of a whole object.
    pub fn of(resource: &'a Resource) -> Self {
        let builtin = resource.is_builtin();
        let node = resource.schema().filter(|_| !builtin).map(crate::schema::Schema::root);
        Self { node, known_fields: builtin, field: "", parent: "", kind: &resource.kind }
    }

    /// The shape of a member of an object.
    pub fn member(self, name: &'a str) -> Self {
        let metadata = self.at_root() && name == "metadata";
        Self {
            node: if metadata { None } else { self.node.and_then(|n| n.member(name)) },
            known_fields: self.known_fields || metadata,
            field: name,
            parent: self.field,
            kind: self.kind,
        }
    }

    /// True if the member of that name is not declared by the schema.
    pub fn is_map_entry(self, name: &str) -> bool {
        match self.node {
            Some(node) => node.property(name).is_none() && !(self.at_root() && name == "metadata"),
            None => !self.known_fields && !self.at_root(),
        }
    }

    fn at_root(self) -> bool {
        self.field.is_empty() && self.parent.is_empty()
    }

    /// The shape of the items of a list.
    pub fn item(self) -> Self {
        Self { node: self.node.and_then(Node::items), ..self }
    }

    /// True if a map is replaced as a whole.
    pub fn atomic_map(self) -> bool {
        if let Some(node) = self.node {
            return node.atomic_map();
        }
        self.known_fields && ATOMIC_MAPS.contains(&self.field)
    }

    /// True for structs that are there even when nothing is set in them: they
    /// are nobody's. All other maps and structs belong to who adds them.
    pub fn always_there(self) -> bool {
        let root = self.field.is_empty();
        root || (self.parent.is_empty() && self.field == "metadata")
            || (self.known_fields && ALWAYS_THERE.contains(&self.field))
    }

    /// How the list at this place merges under server-side apply.
    pub fn list(self) -> ListKind {
        if let Some(node) = self.node {
            return match node.list_type() {
                "map" => ListKind::Map(node.list_map_keys().into_iter().map(str::to_owned).collect()),
                "set" => ListKind::Set,
                _ => ListKind::Atomic,
            };
        }
        if !self.known_fields {
            return ListKind::Atomic;
        }
        if self.field == "finalizers" && self.parent == "metadata" {
            return ListKind::Set;
        }
        let keys: &[&str] = match self.field {
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "resourceClaims"
            | "schedulingGates"
            | "webhooks"
            | "matchConditions"
            | "claims" => &["name"],
            "secrets" if self.kind == "ServiceAccount" => &["name"],
            "volumeMounts" => &["mountPath"],
            "volumeDevices" => &["devicePath"],
            "hostAliases" | "podIPs" => &["ip"],
            "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
            "conditions" => &["type"],
            "addresses" if self.kind == "Node" => &["type"],
            "ownerReferences" => &["uid"],
            "ports" if self.kind == "Service" => &["port", "protocol"],
            "ports" if self.kind != "Endpoints" => &["containerPort", "protocol"],
            _ => return ListKind::Atomic,
        };
        ListKind::Map(keys.iter().map(|k| (*k).to_owned()).collect())
    }

    /// The member that identifies items under a strategic merge patch, which
    /// knows one key only and a few lists that apply treats as atomic.
    pub fn strategic_key(self) -> Option<String> {
        match (self.field, self.list()) {
            ("taints", _) => Some("key".into()),
            (_, ListKind::Map(keys)) => keys.into_iter().next(),
            _ => None,
        }
    }

    /// The identity of a list item as canonical JSON. Missing members take
    /// their default; `None` if the item is not an object or has no key at all.
    pub fn item_key(self, keys: &[String], item: &Value) -> Option<String> {
        let map = item.as_object()?;
        let mut identity: BTreeMap<&str, Value> = BTreeMap::new();
        for key in keys {
            let value = map.get(key).cloned().or_else(|| self.default_of(key));
            if let Some(value) = value {
                identity.insert(key, value);
            }
        }
        if identity.is_empty() { None } else { serde_json::to_string(&identity).ok() }
    }

    fn default_of(self, key: &str) -> Option<Value> {
        match self.node {
            Some(node) => node.items()?.property(key)?.keyword("default").cloned(),
            None if key == "protocol" => Some("TCP".into()),
            None => None,
        }
    }
}

/// Structs of built-in kinds that Go keeps by value. Source: the API types.
const ALWAYS_THERE: [&str; 19] = [
    "spec",
    "status",
    "metadata",
    "template",
    "jobTemplate",
    "strategy",
    "updateStrategy",
    "resources",
    "state",
    "lastState",
    "loadBalancer",
    "nodeInfo",
    "daemonEndpoints",
    "kubeletEndpoint",
    "involvedObject",
    "source",
    "names",
    "containers",
    "rules",
];

/// Maps of built-in kinds with `x-kubernetes-map-type: atomic`.
const ATOMIC_MAPS: [&str; 19] = [
    "selector",
    "labelSelector",
    "namespaceSelector",
    "objectSelector",
    "podSelector",
    "nodeSelector",
    "fieldRef",
    "resourceFieldRef",
    "secretKeyRef",
    "configMapKeyRef",
    "secretRef",
    "roleRef",
    "targetRef",
    "claimRef",
    "involvedObject",
    "regarding",
    // Items of lists.
    "ownerReferences",
    "imagePullSecrets",
    "secrets",
];
