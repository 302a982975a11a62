//! Which resources the server serves: the built-in kinds and, at run time, the
//! kinds of registered CRDs. `rest` looks resources up here, `discovery` and
//! `openapi` list them.

pub mod builtin;
pub mod custom;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::error::{ApiError, Target};
use crate::schema::Schema;

pub use builtin::Builtin;
pub use custom::CustomVersion;

/// Where the scale subresource finds its numbers, as plain key paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalePaths {
    /// Path of the desired replicas, for example `["spec", "replicas"]`.
    pub spec: Vec<String>,
    /// Path of the observed replicas.
    pub status: Vec<String>,
    /// Path of the selector, if any.
    pub selector: Option<Vec<String>>,
}

/// What the kind is made of.
#[derive(Debug)]
pub enum Form {
    /// A kind of Kubernetes itself.
    Builtin(&'static Builtin),
    /// A version of a CRD.
    Custom(Box<CustomVersion>),
}

/// One resource in one API version.
#[derive(Debug)]
pub struct Resource {
    /// API group; empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Kind of a list of it.
    pub list_kind: String,
    /// Plural name, the one in paths.
    pub plural: String,
    /// Singular name.
    pub singular: String,
    /// Short names for kubectl.
    pub short_names: Vec<String>,
    /// Categories for kubectl, for example `all`.
    pub categories: Vec<String>,
    /// True if objects live in namespaces.
    pub namespaced: bool,
    /// True if `/status` exists, which also splits status from the rest.
    pub has_status: bool,
    /// The scale subresource, if there is one.
    pub scale: Option<ScalePaths>,
    /// Name under which objects are stored; versions and views share it.
    pub storage: Arc<str>,
    /// Schema and kind-specific parts.
    pub form: Form,
}

impl Resource {
    /// `v1` or `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Names an object (or, with an empty name, the collection) in errors.
    pub fn target(&self, name: &str) -> Target {
        Target { group: self.group.clone(), kind: self.plural.clone(), name: name.to_owned() }
    }

    /// Names an object by kind, as validation errors do.
    pub fn kind_target(&self, name: &str) -> Target {
        Target { group: self.group.clone(), kind: self.kind.clone(), name: name.to_owned() }
    }

    /// The schema, if the kind has one.
    pub fn schema(&self) -> Option<&Schema> {
        match &self.form {
            Form::Builtin(builtin) => Some(builtin.schema()),
            Form::Custom(custom) => custom.schema.as_ref(),
        }
    }

    /// True for kinds of Kubernetes itself.
    pub fn is_builtin(&self) -> bool {
        matches!(self.form, Form::Builtin(_))
    }

    /// True for this kind of Kubernetes itself.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.is_builtin() && self.group == group && self.kind == kind
    }

    /// True if field selectors may name this path. Source: the field label
    /// conversions of kube-apiserver; everything else is refused there.
    pub fn selects_by(&self, path: &str) -> bool {
        if matches!(path, "metadata.name" | "metadata.namespace") {
            return true;
        }
        match &self.form {
            Form::Custom(custom) => custom.selectable_fields.iter().any(|f| f == path),
            Form::Builtin(_) => builtin::selectable_fields(&self.group, &self.kind).contains(&path),
        }
    }

    /// True if `metadata.generation` counts changes of the specification.
    pub fn has_generation(&self) -> bool {
        match &self.form {
            Form::Builtin(builtin) => builtin.generation,
            Form::Custom(_) => true,
        }
    }

    /// True if a PUT may come without a resource version.
    pub fn unconditional_update(&self) -> bool {
        match &self.form {
            Form::Builtin(_) => !matches!(self.kind.as_str(), "Lease" | "CustomResourceDefinition"),
            Form::Custom(_) => false,
        }
    }
}

/// Key of the registry: group, version, plural.
type Path = (String, String, String);

/// All served resources.
#[derive(Default)]
pub struct Registry {
    resources: RwLock<BTreeMap<Path, Arc<Resource>>>,
    /// Counts changes of the set of resources.
    revision: AtomicU64,
}

impl Registry {
    /// A registry of the built-in kinds.
    pub fn with_builtins() -> Self {
        let resources = builtin::resources().map(|r| (path_of(&r), Arc::new(r))).collect();
        Self { resources: RwLock::new(resources), revision: AtomicU64::new(1) }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Path, Arc<Resource>>> {
        self.resources.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource served at a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.read().get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    /// A served resource of a kind, for owner references and the like.
    pub fn find_kind(&self, group: &str, kind: &str) -> Option<Arc<Resource>> {
        self.read().values().find(|r| r.group == group && r.kind == kind).cloned()
    }

    /// Any served version of what is stored under a name.
    pub fn find_storage(&self, storage: &str) -> Option<Arc<Resource>> {
        self.read().values().find(|r| &*r.storage == storage).cloned()
    }

    /// The refusal of a path below a group that has nothing there: the real
    /// server's own groups answer otherwise than what lies outside of them.
    pub fn no_such_path(&self, group: &str) -> ApiError {
        let builtin = self.read().values().any(|r| r.is_builtin() && r.group == group);
        if builtin { ApiError::NoSuchPath } else { ApiError::NoSuchPage }
    }

    /// Rises with every change of the set of resources or of a schema.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// All resources, ordered by group, version and name.
    pub fn all(&self) -> Vec<Arc<Resource>> {
        self.read().values().cloned().collect()
    }

    /// Serves the versions of a CRD in place of those served for it before.
    pub fn register(&self, crd: &Value) {
        let versions = custom::resources(crd);
        let storage = custom::storage_name(crd);
        let mut resources = self.resources.write().unwrap_or_else(PoisonError::into_inner);
        self.revision.fetch_add(1, Ordering::Relaxed);
        resources.retain(|_, r| r.is_builtin() || *r.storage != *storage);
        for resource in versions {
            // A CRD cannot shadow a built-in kind: its group is protected by
            // validation, and the entry is left alone here.
            resources.entry(path_of(&resource)).or_insert_with(|| Arc::new(resource));
        }
    }

    /// Stops serving a CRD.
    pub fn unregister(&self, crd: &Value) {
        let storage = custom::storage_name(crd);
        let mut resources = self.resources.write().unwrap_or_else(PoisonError::into_inner);
        self.revision.fetch_add(1, Ordering::Relaxed);
        resources.retain(|_, r| r.is_builtin() || *r.storage != *storage);
    }
}

fn path_of(resource: &Resource) -> Path {
    (resource.group.clone(), resource.version.clone(), resource.plural.clone())
}
