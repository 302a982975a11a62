//! A MutatingAdmissionPolicy that adds the sidecar inside of API servers: no webhook that may be down, and nothing of
//! the operator's in the way of a Pod. It is made for the AliyunLogConfigs that there are when it is made, and knows
//! less of volumes than [`crate::inject`]; Pods that need more say so in an annotation. Pure; printed by
//! `operator policy`.
//!
//! Source: Kubernetes' documentation "Mutating Admission Policy" (admissionregistration.k8s.io/v1 since 1.36); that
//! the expressions compile and do what they should was tried with k8s.io/apiserver 0.37.2, which kube-apiserver is
//! made of.

mod cel;

use serde_json::{Value, json};

use crate::crd::AliyunLogConfig;
use crate::inject::{
    self, ASK_LABEL, CONFIGS_ANNOTATION, CONTAINER, CONTAINERS_ANNOTATION, Fixed, INJECTED, Profile, SKIPPED,
    STATE_VOLUME, Skip, VOLUME_PREFIX, VOLUMES_ANNOTATION,
};
use crate::webhook::configurations::{FailurePolicy, NAMESPACE_LABEL};
use cel::{pointer, quoted, value};

/// Containers of a Pod that is changed. Source: guess; expressions must count them one by one.
const CONTAINERS_MAX: usize = 16;
/// Longest name of an object. Source: Kubernetes' documentation, "Object Names and IDs": DNS subdomains.
const NAME_BYTES_MAX: usize = 253;

/// The policy for Pods of `namespace` and its binding. `configs` are those there are, of any namespace; the profile's
/// form is taken for native.
///
/// # Errors
/// [`Skip`]: no sidecar can be made for these.
pub fn policy(
    namespace: &str,
    configs: &[AliyunLogConfig],
    profile: &Profile,
    failure_policy: FailurePolicy,
) -> Result<[Value; 2], Skip> {
    let fixed = inject::fixed(namespace, configs, profile)?;
    let mut name = format!("sls-sidecar.{namespace}");
    name.truncate(NAME_BYTES_MAX);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": failure_policy.name(),
            // Containers that come after it are seen too.
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace]},
                ]},
                "objectSelector": {"matchExpressions": [
                    {"key": ASK_LABEL, "operator": "NotIn", "values": ["false"]},
                ]},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                    "resources": ["pods"], "scope": "Namespaced"}],
            },
            "matchConditions": [{"name": "has-no-sidecar", "expression": has_no_sidecar()}],
            "variables": variables(&fixed),
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch(&fixed)}}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name},
    });
    Ok([policy, binding])
}

fn has_no_sidecar() -> String {
    let none = |list: &str| format!("(!has({list}) || {list}.all(c, c.name != {}))", quoted(CONTAINER));
    format!("{} &&\n{}", none("object.spec.containers"), none("object.spec.initContainers"))
}

/// Name of the new volume of a directory.
fn volume(index: usize) -> String {
    format!("{VOLUME_PREFIX}{index}")
}

/// Whether the mount `m` holds a directory: is mounted there, or above.
fn covers(directory: &str) -> String {
    let below = quoted(&format!("{directory}/"));
    format!("{below}.startsWith(m.mountPath.endsWith(\"/\") ? m.mountPath : m.mountPath + \"/\")")
}

fn variables(fixed: &Fixed) -> Value {
    let mut all = vec![
        (
            "annotations".to_owned(),
            "has(object.metadata.annotations) ? object.metadata.annotations : {}".to_owned(),
        ),
        ("labels".to_owned(), "has(object.metadata.labels) ? object.metadata.labels : {}".to_owned()),
        ("asked".to_owned(), asked()),
        ("volumes".to_owned(), "has(object.spec.volumes) ? object.spec.volumes : []".to_owned()),
        (
            "mounts".to_owned(),
            "object.spec.containers.map(c, has(c.volumeMounts) ? c.volumeMounts : [])".to_owned(),
        ),
    ];
    for (index, directory) in fixed.directories.iter().enumerate() {
        // Of each container that has the directory, the mount that holds it.
        let there = format!(
            "variables.mounts.map(ms, ms.filter(m, {}))\n  .filter(ms, size(ms) > 0).map(ms, ms[0])",
            covers(directory)
        );
        all.push((format!("there{index}"), there));
    }
    all.push(("simple".to_owned(), simple(&fixed.directories)));
    let all = all.into_iter().map(|(name, expression)| json!({"name": name, "expression": expression}));
    all.collect()
}

/// A Pod decides before its namespace.
fn asked() -> String {
    let (label, of_namespace) = (quoted(ASK_LABEL), quoted(NAMESPACE_LABEL));
    format!(
        "{label} in variables.labels && variables.labels[{label}] in [\"true\", \"false\"]\n  \
         ? variables.labels[{label}] == \"true\"\n  \
         : has(namespaceObject.metadata.labels) && {of_namespace} in namespaceObject.metadata.labels &&\n    \
         namespaceObject.metadata.labels[{of_namespace}] == \"enabled\""
    )
}

/// Whether the Pod is one that this policy can serve.
fn simple(directories: &[String]) -> String {
    let annotation = |name: &str| format!("!({} in variables.annotations)", quoted(name));
    let mut all = vec![
        annotation(CONFIGS_ANNOTATION),
        annotation(CONTAINERS_ANNOTATION),
        format!("size(object.spec.containers) <= {CONTAINERS_MAX}"),
    ];
    let new = (0..directories.len()).map(volume).chain([STATE_VOLUME.to_owned()]);
    let new: Vec<String> = new.map(|name| quoted(&name)).collect();
    all.push(format!("variables.volumes.all(v, !(v.name in [{}]))", new.join(", ")));
    for (index, directory) in directories.iter().enumerate() {
        let there = format!("variables.there{index}");
        all.push(format!("variables.mounts.all(ms, size(ms.filter(m, {})) <= 1)", covers(directory)));
        let below = quoted(&format!("{directory}/"));
        all.push(format!(
            "variables.mounts.all(ms, ms.all(m, !(m.mountPath.startsWith({below}) && m.mountPath != {below})))"
        ));
        all.push(format!(
            "{there}.all(m, m.name == {there}[0].name && m.mountPath == {there}[0].mountPath &&\n  \
             !has(m.subPath) && !has(m.subPathExpr) && !(has(m.readOnly) && m.readOnly))"
        ));
        let made_of =
            ["configMap", "secret", "projected", "downwardAPI"].map(|kind| format!("has(v.{kind})"));
        all.push(format!(
            "{there}.all(m, !variables.volumes.exists(v, v.name == m.name &&\n  ({})))",
            made_of.join(" || ")
        ));
    }
    all.join(" &&\n")
}

/// A change of the Pod. `value` is an expression.
fn add(path: &str, value: &str) -> String {
    format!("JSONPatch{{op: \"add\", path: {path}, value: {value}}}")
}

fn patch(fixed: &Fixed) -> String {
    let mut steps = vec![
        list_if_missing("object.spec.volumes", "/spec/volumes"),
        new_volumes(fixed),
        new_mounts(fixed),
        list_if_missing("object.spec.initContainers", "/spec/initContainers"),
        // The first: those behind it begin when it collects.
        format!("[{}]", add("\"/spec/initContainers/0\"", &container(fixed))),
    ];
    let volumes: Vec<String> = fixed
        .directories
        .iter()
        .enumerate()
        .map(|(index, _)| {
            format!("(size(variables.there{index}) == 0 ? {} : \"\")", quoted(&format!("{},", volume(index))))
        })
        .collect();
    let volumes = format!("{} + {}", volumes.join(" + "), quoted(STATE_VOLUME));
    steps.push(mark("labels", &[(INJECTED, quoted("true"))]));
    let annotations = [(INJECTED, quoted(&fixed.mark)), (VOLUMES_ANNOTATION, volumes)];
    steps.push(mark("annotations", &annotations));
    let reason = quoted(&format!(
        "{}: its volumes or annotations ask for more than a fixed policy can do: use the operator's webhook, or \
         `operator inject`",
        inject::NEEDS_WEBHOOK
    ));
    let skipped = mark("annotations", &[(SKIPPED, reason)]);
    format!("!variables.asked ? [] :\n!variables.simple ? {skipped} :\n{}", steps.join(" +\n"))
}

fn list_if_missing(field: &str, path: &str) -> String {
    format!("(has({field}) ? [] : [{}])", add(&quoted(path), "[]"))
}

fn new_volumes(fixed: &Fixed) -> String {
    let volume = |name: &str| {
        let volume = json!({"name": name, "emptyDir": {}});
        add("\"/spec/volumes/-\"", &value("Object.spec.volumes", &volume))
    };
    let mut steps: Vec<String> = Vec::new();
    for (index, _) in fixed.directories.iter().enumerate() {
        let name = self::volume(index);
        steps.push(format!("(size(variables.there{index}) > 0 ? [] : [{}])", volume(&name)));
    }
    steps.push(format!("[{}]", volume(STATE_VOLUME)));
    steps.join(" +\n")
}

/// Each container gets the new volumes.
fn new_mounts(fixed: &Fixed) -> String {
    let all: Vec<String> = (0..CONTAINERS_MAX).map(|index| index.to_string()).collect();
    let indices = format!("[{}].filter(i, i < size(object.spec.containers))", all.join(", "));
    let path =
        |end: &str| format!("\"/spec/containers/\" + string(i) + {}", quoted(&format!("/volumeMounts{end}")));
    let mut steps = vec![format!(
        "{indices}\n  .filter(i, !has(object.spec.containers[i].volumeMounts))\n  .map(i, {})",
        add(&path(""), "[]")
    )];
    for (index, directory) in fixed.directories.iter().enumerate() {
        let mount = json!({"name": volume(index), "mountPath": directory});
        let mount = value("Object.spec.containers.volumeMounts", &mount);
        steps.push(format!(
            "(size(variables.there{index}) > 0 ? [] : {indices}\n  .map(i, {}))",
            add(&path("/-"), &mount)
        ));
    }
    steps.join(" +\n")
}

/// The sidecar: what is the same for all Pods, and what follows from this one.
fn container(fixed: &Fixed) -> String {
    const TYPE: &str = "Object.spec.initContainers";
    let mut members: Vec<String> = Vec::new();
    for (name, one) in &fixed.container {
        let of = format!("{TYPE}.{name}");
        let mut expression = value(&of, one);
        match name.as_str() {
            "env" => expression = format!("{expression} + {}", grace(&of)),
            "volumeMounts" => expression = format!("{} + {expression}", mounts(&of, &fixed.directories)),
            _ => {}
        }
        members.push(format!("  {name}: {expression}"));
    }
    members.push(format!("  ?securityContext: {}", security(&format!("{TYPE}.securityContext"))));
    format!("{TYPE}{{\n{}\n}}", members.join(",\n"))
}

/// Time that it has at the end, as [`inject::inject`] gives it.
fn grace(of: &str) -> String {
    let grace = "object.spec.terminationGracePeriodSeconds";
    let left = inject::GRACE_SECONDS_LEFT;
    format!(
        "(has({grace}) && {grace} > {left} ? [{of}{{name: {}, value: string(({grace} - {left}) * 1000)}}] : [])",
        quoted(inject::DRAIN_VARIABLE)
    )
}

/// The directories: each mount once.
fn mounts(of: &str, directories: &[String]) -> String {
    let mut all = Vec::new();
    for (index, directory) in directories.iter().enumerate() {
        let there = format!("variables.there{index}");
        let new = value(of, &json!({"name": volume(index), "mountPath": directory, "readOnly": true}));
        let found = format!("{of}{{name: {there}[0].name, mountPath: {there}[0].mountPath, readOnly: true}}");
        let before: Vec<String> = (0..index)
            .map(|other| format!("variables.there{other}.exists(m, m.mountPath == {there}[0].mountPath)"))
            .collect();
        let found = match before.as_slice() {
            [] => format!("[{found}]"),
            before => format!("({} ? [] : [{found}])", before.join(" || ")),
        };
        all.push(format!("(size({there}) == 0 ? [{new}] : {found})"));
    }
    all.join(" +\n    ")
}

/// As confined as the first container, as [`inject::inject`] makes it.
fn security(of: &str) -> String {
    let context = "object.spec.containers[?0].?securityContext";
    let taken = ["runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfile"];
    let mut members: Vec<String> = taken.iter().map(|name| format!("?{name}: {context}.?{name}")).collect();
    members.push(format!(
        "?allowPrivilegeEscalation: {context}.?allowPrivilegeEscalation.orValue(true) ? optional.none() : optional.of(false)"
    ));
    members.push(format!(
        "?capabilities: {context}.?capabilities.?drop.hasValue()\n      \
         ? optional.of({of}.capabilities{{drop: {context}.capabilities.drop.value()}}) : optional.none()"
    ));
    format!(
        "{context}.hasValue()\n    ? optional.of({of}{{\n      {}}})\n    : optional.none()",
        members.join(",\n      ")
    )
}

/// Adds labels or annotations; values are expressions.
fn mark(of: &str, marks: &[(&str, String)]) -> String {
    let set: Vec<String> = marks
        .iter()
        .map(|(name, value)| add(&quoted(&format!("/metadata/{of}/{}", pointer(name))), value))
        .collect();
    let all: Vec<String> = marks.iter().map(|(name, value)| format!("{}: {value}", quoted(name))).collect();
    let whole = add(&quoted(&format!("/metadata/{of}")), &format!("{{{}}}", all.join(", ")));
    format!("(has(object.metadata.{of}) ? [{}] : [{whole}])", set.join(", "))
}

#[cfg(test)]
mod tests;
