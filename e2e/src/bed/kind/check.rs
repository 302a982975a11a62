//! All that can be known to be missing or in the way before anything is made.

use anyhow::{Context as _, Result, bail};

use super::images::images;
use super::install::{CRD, INSTALLATION};
use super::tool::{self, Kubectl};
use super::{CONTEXT_PREFIX, Cluster, Options};

/// All that can be known before anything is made.
pub async fn check(options: &Options, kubectl: &Kubectl) -> Result<()> {
    tool::run("kubectl", ["version", "--client"]).await?;
    if let Some(name) = options.kind_cluster() {
        tool::run("docker", ["info"])
            .await
            .context("no Docker engine answers; start it, or add yourself to the group docker")?;
        for image in images() {
            tool::run("docker", ["image", "inspect", image])
                .await
                .with_context(|| format!("Docker has no image {image}; make it with: just images"))?;
        }
        let clusters = tool::run("kind", ["get", "clusters"]).await?;
        let exists = clusters.lines().any(|line| line.trim() == name);
        match &options.cluster {
            Cluster::New { .. } if exists => bail!(
                "there is a kind cluster {name} already, which this run did not make; use it with \
                 --context {CONTEXT_PREFIX}{name}, remove it with `kind delete cluster --name {name}`, \
                 or choose another name with --cluster"
            ),
            Cluster::Existing { context } if !exists => {
                bail!(
                    "context {context} is a kind cluster's, but kind knows no cluster {name}; see `kind get clusters`"
                )
            }
            _ => {}
        }
    }
    if let Cluster::Existing { context } = &options.cluster {
        kubectl.run(&["version"]).await.with_context(|| {
            format!("the cluster of context {context} does not answer; see `kubectl config get-contexts`")
        })?;
        let namespace = format!("namespace/{INSTALLATION}");
        let there = kubectl.run(&["get", &namespace, CRD, "--ignore-not-found", "-o", "name"]).await?;
        if !there.trim().is_empty() {
            bail!(
                "context {context} has {} already, which this run did not make; remove an installation \
                 with: {} delete -k deploy/kustomize",
                there.split_whitespace().collect::<Vec<_>>().join(" and "),
                kubectl.prefix()
            );
        }
    }
    Ok(())
}
