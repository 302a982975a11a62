//! Makes a cluster, and connects to one.

use std::path::Path;

use anyhow::{Context as _, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::Options;
use super::made::{Made, Thing};
use super::tool::{self, Kubectl};

/// Longest wait for a new node, as kind takes it.
const NODE_WAIT: &str = "180s";

/// Makes the cluster, with a kubeconfig of its own in the bed's folder.
pub async fn create_cluster(
    name: &str,
    node_image: Option<&str>,
    config: Option<&Path>,
    options: &Options,
    made: &Made,
) -> Result<()> {
    std::fs::create_dir_all(&options.root)
        .with_context(|| format!("cannot create {}", options.root.display()))?;
    let kubeconfig = options.root.join("kubeconfig");
    let mut args: Vec<String> =
        ["create", "cluster", "--name", name, "--wait", NODE_WAIT].map(str::to_owned).to_vec();
    args.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
    if let Some(image) = node_image {
        args.extend(["--image".to_owned(), image.to_owned()]);
    }
    if let Some(config) = config {
        args.extend(["--config".to_owned(), config.display().to_string()]);
    }
    made.will_make(Thing::Cluster { name: name.to_owned(), kubeconfig });
    tool::run("kind", args).await?;
    Ok(())
}

/// A client for the cluster that kubectl is told.
pub async fn connect(kubectl: &Kubectl) -> Result<kube::Client> {
    let kubeconfig = match &kubectl.kubeconfig {
        Some(path) => Kubeconfig::read_from(path)?,
        None => Kubeconfig::read()?,
    };
    let options = KubeConfigOptions { context: Some(kubectl.context.clone()), ..Default::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    kube::Client::try_from(config).context("no client for the cluster")
}
