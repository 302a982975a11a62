//! The built-in kinds as one table, with schemas made by `k8s-openapi`.

use std::sync::OnceLock;

use k8s_openapi::api::{admissionregistration, apps, batch, coordination, core, events, rbac};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use schemars::generate::SchemaGenerator;
use serde_json::Value;

use super::{Form, Resource, ScalePaths};
use crate::schema::{Node, Origin, Schema};

/// One built-in kind.
pub struct Builtin {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    in_all: bool,
    namespaced: bool,
    has_status: bool,
    scale: bool,
    /// True if `metadata.generation` counts changes of the specification.
    pub generation: bool,
    make: fn(&mut SchemaGenerator) -> schemars::Schema,
    schema: OnceLock<Schema>,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Builtin({}/{} {})", self.group, self.version, self.kind)
    }
}

impl Builtin {
    /// The schema, made on first use and kept for the life of the process.
    pub fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| {
            let mut generator = SchemaGenerator::default();
            let root = (self.make)(&mut generator);
            let mut root = Value::from(root);
            let mut definitions = generator.take_definitions(true);
            for (name, definition) in &mut definitions {
                // Any JSON value, although k8s-openapi says object.
                if let (true, Some(map)) = (name.ends_with(".v1.JSON"), definition.as_object_mut()) {
                    map.remove("type");
                }
            }
            if let Some(map) = root.as_object_mut() {
                map.insert("$defs".into(), Value::Object(definitions));
            }
            Schema::new(root, Origin::Builtin)
        })
    }
}

/// Shape of a table row; the rest is given by chained calls.
const fn kind<T: schemars::JsonSchema>(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
) -> Builtin {
    Builtin {
        group,
        version: "v1",
        kind,
        plural,
        short_names,
        in_all: false,
        namespaced: true,
        has_status: false,
        scale: false,
        generation: false,
        make: SchemaGenerator::subschema_for::<T>,
        schema: OnceLock::new(),
    }
}

impl Builtin {
    const fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }
    const fn status(mut self) -> Self {
        self.has_status = true;
        self
    }
    const fn scale(mut self) -> Self {
        self.scale = true;
        self
    }
    const fn generation(mut self) -> Self {
        self.generation = true;
        self
    }
    const fn in_all(mut self) -> Self {
        self.in_all = true;
        self
    }
}

const APPS: &str = "apps";
const BATCH: &str = "batch";
const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

static BUILTINS: [Builtin; 24] = [
    kind::<core::v1::ConfigMap>("", "ConfigMap", "configmaps", &["cm"]),
    kind::<core::v1::Endpoints>("", "Endpoints", "endpoints", &["ep"]),
    kind::<core::v1::Event>("", "Event", "events", &["ev"]),
    kind::<core::v1::Namespace>("", "Namespace", "namespaces", &["ns"]).cluster().status(),
    kind::<core::v1::Node>("", "Node", "nodes", &["no"]).cluster().status(),
    kind::<core::v1::Pod>("", "Pod", "pods", &["po"]).status().generation().in_all(),
    kind::<core::v1::Secret>("", "Secret", "secrets", &[]),
    kind::<core::v1::ServiceAccount>("", "ServiceAccount", "serviceaccounts", &["sa"]),
    kind::<core::v1::Service>("", "Service", "services", &["svc"]).status().in_all(),
    kind::<admissionregistration::v1::MutatingWebhookConfiguration>(
        ADMISSION,
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        &[],
    )
    .cluster()
    .generation(),
    kind::<admissionregistration::v1::ValidatingWebhookConfiguration>(
        ADMISSION,
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        &[],
    )
    .cluster()
    .generation(),
    kind::<apiextensions::v1::CustomResourceDefinition>(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
    )
    .cluster()
    .status()
    .generation(),
    kind::<apps::v1::DaemonSet>(APPS, "DaemonSet", "daemonsets", &["ds"]).status().generation().in_all(),
    kind::<apps::v1::Deployment>(APPS, "Deployment", "deployments", &["deploy"])
        .status()
        .scale()
        .generation()
        .in_all(),
    kind::<apps::v1::ReplicaSet>(APPS, "ReplicaSet", "replicasets", &["rs"])
        .status()
        .scale()
        .generation()
        .in_all(),
    kind::<apps::v1::StatefulSet>(APPS, "StatefulSet", "statefulsets", &["sts"])
        .status()
        .scale()
        .generation()
        .in_all(),
    kind::<batch::v1::CronJob>(BATCH, "CronJob", "cronjobs", &["cj"]).status().generation().in_all(),
    kind::<batch::v1::Job>(BATCH, "Job", "jobs", &[]).status().generation().in_all(),
    kind::<coordination::v1::Lease>("coordination.k8s.io", "Lease", "leases", &[]),
    kind::<events::v1::Event>("events.k8s.io", "Event", "events", &["ev"]),
    kind::<rbac::v1::ClusterRole>(RBAC, "ClusterRole", "clusterroles", &[]).cluster(),
    kind::<rbac::v1::ClusterRoleBinding>(RBAC, "ClusterRoleBinding", "clusterrolebindings", &[]).cluster(),
    kind::<rbac::v1::Role>(RBAC, "Role", "roles", &[]),
    kind::<rbac::v1::RoleBinding>(RBAC, "RoleBinding", "rolebindings", &[]),
];

/// All built-in resources.
pub fn resources() -> impl Iterator<Item = Resource> {
    BUILTINS.iter().map(|b| Resource {
        group: b.group.to_owned(),
        version: b.version.to_owned(),
        kind: b.kind.to_owned(),
        list_kind: format!("{}List", b.kind),
        plural: b.plural.to_owned(),
        singular: b.kind.to_lowercase(),
        short_names: b.short_names.iter().map(|s| (*s).to_owned()).collect(),
        categories: if b.in_all { vec!["all".to_owned()] } else { Vec::new() },
        namespaced: b.namespaced,
        has_status: b.has_status,
        scale: b.scale.then(|| ScalePaths {
            spec: vec!["spec".into(), "replicas".into()],
            status: vec!["status".into(), "replicas".into()],
            selector: Some(vec!["spec".into(), "selector".into()]),
        }),
        storage: storage_name(b).into(),
        form: Form::Builtin(b),
    })
}

/// The schema of `metadata`, which is the same for all kinds.
pub fn metadata_schema() -> Option<Node<'static>> {
    BUILTINS.first()?.schema().root().property("metadata")
}

/// Fields by which a built-in kind can be selected, beside name and namespace.
pub fn selectable_fields(group: &str, kind: &str) -> &'static [&'static str] {
    match (group, kind) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "Secret") => &["type"],
        ("", "Namespace") => &["status.phase"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    }
}

/// Both groups of events show the same objects, which are stored in core form.
fn storage_name(builtin: &Builtin) -> String {
    if builtin.group.is_empty() || builtin.plural == "events" {
        builtin.plural.to_owned()
    } else {
        format!("{}.{}", builtin.plural, builtin.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_kind_has_a_schema_with_metadata() {
        for builtin in &BUILTINS {
            let root = builtin.schema().root();
            assert!(root.property("metadata").is_some(), "{builtin:?}");
        }
    }

    #[test]
    fn a_nested_reference_is_followed() {
        let pod = BUILTINS.iter().find(|b| b.kind == "Pod").unwrap();
        let env =
            pod.schema().root().property("spec").unwrap().property("containers").unwrap().items().unwrap();
        assert_eq!(env.property("image").unwrap().kind(), "string");
    }
}
