//! All that can be known to be missing or in the way before anything is made: the tools, the images,
//! the name and the ports of a new cluster. What a named context must have is `context`'s.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::install::KUSTOMIZATION;
use super::tool::{self, Kubectl};
use super::{CONTEXT_PREFIX, Cluster, Options, context, images, kind_config};
use crate::progress::Progress;

/// Oldest kubectl, major and minor, that can build the kustomization. Source: tried, see `docs/kind.md`.
const KUBECTL_MIN: (u32, u32) = (1, 22);
/// Chooses kind's container engine. Source: kind's documentation.
const PROVIDER_VARIABLE: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// Checks everything, and changes nothing.
///
/// # Errors
/// Something is missing or in the way; the message holds what helps.
pub async fn check(options: &Options, kubectl: &Kubectl, progress: &Progress) -> Result<()> {
    let kind_cluster = options.kind_cluster();
    if let Some(name) = kind_cluster {
        check_provider(std::env::var(PROVIDER_VARIABLE).ok().as_deref())?;
        check_docker().await?;
        images::in_docker().await?;
        check_name(&options.cluster, name).await?;
    }
    check_kubectl().await?;
    match &options.cluster {
        Cluster::New { config: Some(config), .. } => kind_config::check(config),
        Cluster::New { config: None, .. } => Ok(()),
        Cluster::Existing { .. } => context::check(kubectl, kind_cluster, progress).await,
    }
}

async fn check_kubectl() -> Result<()> {
    let said = tool::run("kubectl", ["version", "--client", "-o", "json"]).await?;
    if let Some((version, found)) = client_version(&said)
        && found < KUBECTL_MIN
    {
        let (major, minor) = KUBECTL_MIN;
        bail!(
            "kubectl {version} is too old to build deploy/kustomize; install {major}.{minor} or newer from \
             https://kubernetes.io/docs/tasks/tools (Debian's package kubernetes-client is older)"
        );
    }
    tool::run("kubectl", ["kustomize", KUSTOMIZATION])
        .await
        .context("this kubectl cannot build deploy/kustomize")?;
    Ok(())
}

/// The version as kubectl names it, and its two numbers. Those of builds by others end in a plus sign
/// or have more words, and development builds have none: they are left to what follows.
fn client_version(said: &str) -> Option<(String, (u32, u32))> {
    let said: Value = serde_json::from_str(said).ok()?;
    let version = said["clientVersion"]["gitVersion"].as_str()?;
    let mut numbers = version.trim_start_matches('v').split('.');
    let found = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    (found != (0, 0)).then(|| (version.to_owned(), found))
}

fn check_provider(provider: Option<&str>) -> Result<()> {
    match provider {
        None | Some("" | "docker") => Ok(()),
        Some(other) => bail!(
            "{PROVIDER_VARIABLE} is {other}, but the bed loads its images out of Docker; \
             run with: {PROVIDER_VARIABLE}=docker"
        ),
    }
}

async fn check_docker() -> Result<()> {
    let Err(error) = tool::run("docker", ["version", "--format={{.Server.Version}}"]).await else {
        return Ok(());
    };
    let text = error.to_string().to_lowercase();
    if text.contains("permission denied") {
        return Err(error.context(
            "you may not use Docker's socket; add yourself to its group with `sudo usermod -aG docker $USER` \
             and log in again",
        ));
    }
    if text.contains("cannot connect") || text.contains("error during connect") {
        return Err(error.context(
            "no Docker engine answers; start it with `sudo systemctl start docker` or Docker Desktop, \
             or correct DOCKER_HOST",
        ));
    }
    Err(error)
}

/// A new cluster must not be there yet, and a kind cluster that a context is named after must be.
async fn check_name(cluster: &Cluster, name: &str) -> Result<()> {
    let clusters = tool::run("kind", ["get", "clusters"]).await?;
    let exists = clusters.lines().any(|line| line.trim() == name);
    match cluster {
        Cluster::New { .. } if exists => bail!(
            "there is a kind cluster {name} already, which this run did not make; use it with \
             --context {CONTEXT_PREFIX}{name}, remove it with `kind delete cluster --name {name}`, \
             or choose another name with --cluster"
        ),
        Cluster::Existing { context } if !exists => bail!(
            "context {context} is named as a kind cluster's, but kind has no cluster {name}; see: kind get clusters"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_version_is_read_from_what_any_build_of_kubectl_says() {
        let said = |version: &str| format!(r#"{{"clientVersion": {{"gitVersion": "{version}"}}}}"#);
        let numbers = |version: &str| client_version(&said(version)).map(|(_, numbers)| numbers);
        assert_eq!(numbers("v1.20.2"), Some((1, 20)));
        assert_eq!(numbers("v1.32.4-dispatcher"), Some((1, 32)));
        assert_eq!(numbers("v0.0.0-master+$Format:%H$"), None);
        assert_eq!(client_version("not JSON"), None);
    }

    #[test]
    fn only_docker_is_accepted_as_kinds_engine() {
        assert!(check_provider(None).is_ok());
        assert!(check_provider(Some("docker")).is_ok());
        assert!(check_provider(Some("podman")).is_err_and(|error| error.to_string().contains("podman")));
    }
}
