//! What must hold of a context that the user names, before anything is made in its cluster.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::cluster::nodes;
use super::install::{INSTALLATION, KUSTOMIZATION};
use super::tool::{self, Kubectl};
use crate::progress::Progress;

/// Longest wait for the API server's answer to a question of ours, as kubectl takes it.
const ANSWER_TIMEOUT: &str = "--request-timeout=15s";
/// Questions about rights that are asked at the same time.
const QUESTIONS_AT_ONCE: usize = 4;
/// Names that a message holds at most.
const NAMES_MAX: usize = 10;
/// Marks the default. Source: Kubernetes' documentation of StorageClass.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// What the bed does in a cluster that it did not make: `kubectl auth can-i` words.
const RIGHTS: [&[&str]; 15] = [
    &["create", "namespaces"],
    &["delete", "namespaces"],
    &["create", "customresourcedefinitions.apiextensions.k8s.io"],
    &["delete", "customresourcedefinitions.apiextensions.k8s.io"],
    &["create", "clusterroles.rbac.authorization.k8s.io"],
    &["create", "clusterrolebindings.rbac.authorization.k8s.io"],
    &["create", "aliyunlogconfigs.log.alibabacloud.com", "--all-namespaces"],
    &["create", "deployments.apps", "--all-namespaces"],
    &["create", "jobs.batch", "--all-namespaces"],
    &["create", "persistentvolumeclaims", "--namespace", INSTALLATION],
    &["create", "secrets", "--namespace", INSTALLATION],
    &["create", "services", "--namespace", INSTALLATION],
    &["create", "serviceaccounts", "--namespace", INSTALLATION],
    &["create", "pods", "--subresource=portforward", "--namespace", INSTALLATION],
    &["get", "pods", "--subresource=log", "--all-namespaces"],
];

/// Checks the context that `kubectl` is told; `kind_cluster` is the kind cluster it is named after.
///
/// # Errors
/// Something is missing or in the way; the message holds what helps.
pub async fn check(kubectl: &Kubectl, kind_cluster: Option<&str>, progress: &Progress) -> Result<()> {
    let context = &kubectl.context;
    known(context).await?;
    kubectl.run(&["get", "--raw=/version", ANSWER_TIMEOUT]).await.with_context(|| {
        format!("the cluster of context {context} does not answer; try: {} version", kubectl.prefix())
    })?;
    rights(kubectl).await?;
    if let Some(cluster) = kind_cluster {
        is_kind_cluster(kubectl, cluster).await?;
    }
    not_installed(kubectl).await?;
    default_storage_class(kubectl, progress).await
}

async fn known(context: &str) -> Result<()> {
    let listed = tool::run("kubectl", ["config", "get-contexts", "-o", "name"]).await?;
    let contexts: Vec<&str> = listed.split_whitespace().collect();
    if contexts.is_empty() {
        bail!("the kubeconfig has no context; KUBECONFIG names another file, see: kubectl config view");
    }
    if !contexts.contains(&context) {
        bail!("the kubeconfig has no context {context}; it has: {}", some(&contexts));
    }
    Ok(())
}

/// Images are loaded into the nodes of the kind cluster, so the context must lead to that one.
async fn is_kind_cluster(kubectl: &Kubectl, cluster: &str) -> Result<()> {
    let listed = kubectl.run(&["get", "nodes", "-o", "name", ANSWER_TIMEOUT]).await?;
    let of_context: BTreeSet<&str> =
        listed.split_whitespace().map(|name| name.strip_prefix("node/").unwrap_or(name)).collect();
    let nodes = nodes(cluster).await?;
    if of_context != nodes.iter().map(String::as_str).collect() {
        bail!(
            "context {context} does not lead to the kind cluster {cluster}, or not all of its nodes run: it has \
             {}, running in Docker are {}; write the context anew with: kind export kubeconfig --name {cluster}",
            some(&of_context.into_iter().collect::<Vec<_>>()),
            nodes.join(", "),
            context = kubectl.context,
        );
    }
    Ok(())
}

async fn rights(kubectl: &Kubectl) -> Result<()> {
    let may = |words: &'static [&'static str]| async move {
        let question = [&["auth", "can-i"], words].concat();
        // The answer is a word, and may have a reason behind it.
        let answer = kubectl.answer(&question).await?;
        anyhow::Ok((!answer.starts_with("yes")).then(|| words.join(" ")))
    };
    if may(&["*", "*", "--all-namespaces"]).await?.is_none() {
        return Ok(());
    }
    let missing: Vec<String> = stream::iter(RIGHTS)
        .map(may)
        .buffered(QUESTIONS_AT_ONCE)
        .try_filter_map(|right| async { Ok(right) })
        .try_collect()
        .await?;
    if !missing.is_empty() {
        bail!(
            "the user of context {} may not do what the bed does there: {}; ask an administrator of the \
             cluster for the ClusterRole cluster-admin, or for these, and see with: {} auth can-i --list",
            kubectl.context,
            missing.join("; "),
            kubectl.prefix()
        );
    }
    Ok(())
}

async fn not_installed(kubectl: &Kubectl) -> Result<()> {
    let there = kubectl
        .run(&["get", "-k", KUSTOMIZATION, "--ignore-not-found", "-o", "name", ANSWER_TIMEOUT])
        .await
        .context("cannot see whether there is an installation")?;
    let there: Vec<&str> = there.split_whitespace().collect();
    if !there.is_empty() {
        bail!(
            "context {} has {} already (or still), which this run did not make; remove an installation with: \
             {} delete --ignore-not-found -k deploy/kustomize",
            kubectl.context,
            some(&there),
            kubectl.prefix()
        );
    }
    Ok(())
}

async fn default_storage_class(kubectl: &Kubectl, progress: &Progress) -> Result<()> {
    let listed = match kubectl.run(&["get", "storageclasses", "-o", "json", ANSWER_TIMEOUT]).await {
        Ok(listed) => listed,
        Err(error) => {
            progress.done(format!("whether there is a default StorageClass cannot be seen: {error:#}"));
            return Ok(());
        }
    };
    let classes = storage_classes(&listed).context("kubectl lists no StorageClasses as JSON")?;
    if classes.iter().any(|(_, default)| *default) {
        return Ok(());
    }
    let names: Vec<&str> = classes.iter().map(|(name, _)| name.as_str()).collect();
    let first = names.first().copied().unwrap_or("NAME");
    bail!(
        "context {} has no default StorageClass, which the emulator's volume needs; it has {}; make one the \
         default with: {} annotate storageclass {first} {DEFAULT_CLASS}=true",
        kubectl.context,
        if names.is_empty() { "none at all".to_owned() } else { some(&names) },
        kubectl.prefix()
    )
}

/// The classes, and whether each is a default.
fn storage_classes(listed: &str) -> Option<Vec<(String, bool)>> {
    let listed: Value = serde_json::from_str(listed).ok()?;
    let class = |item: &Value| {
        let metadata = &item["metadata"];
        Some((metadata["name"].as_str()?.to_owned(), metadata["annotations"][DEFAULT_CLASS] == "true"))
    };
    listed["items"].as_array()?.iter().map(class).collect()
}

fn some(names: &[&str]) -> String {
    match names.get(..NAMES_MAX) {
        Some(first) if names.len() > NAMES_MAX => format!("{} and more", first.join(", ")),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_storage_class_is_the_annotated_one() {
        let listed = r#"{"items": [
            {"metadata": {"name": "slow"}},
            {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
        ]}"#;
        let expected = [("slow".to_owned(), false), ("fast".to_owned(), true)];
        assert_eq!(storage_classes(listed).as_deref(), Some(expected.as_slice()));
        assert_eq!(storage_classes(r#"{"items": []}"#), Some(vec![]));
        assert_eq!(storage_classes("no"), None);
    }

    #[test]
    fn a_message_holds_a_bounded_number_of_names() {
        assert_eq!(some(&["a", "b"]), "a, b");
        assert!(some(&["a"; NAMES_MAX + 1]).ends_with(" and more"));
    }
}
