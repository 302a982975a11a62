//! Makes a cluster, lists its nodes, and connects to one.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::Options;
use super::made::{Made, Thing};
use super::tool::{self, Kubectl};

/// Longest wait for new nodes, as kubectl takes it.
const NODES_TIMEOUT: &str = "--timeout=180s";
/// What kind says of a cluster that is not ours. Source: kind, `pkg/cluster/internal/create`.
const ANOTHERS: &str = "already exist for a cluster with the name";
/// What kind says where Docker cannot get the node image. Source: the same.
const NO_NODE_IMAGE: &str = "failed to pull image";
/// Role of a container of kind's that is no node. Source: kind, `pkg/cluster/constants`.
const LOAD_BALANCER: &str = "external-load-balancer";

/// Makes the cluster, with a kubeconfig of its own in the bed's folder. Its nodes need not be ready
/// yet, see [`nodes_ready`].
pub async fn create_cluster(
    name: &str,
    node_image: Option<&str>,
    config: Option<&Path>,
    options: &Options,
    made: &Made,
) -> Result<()> {
    let kubeconfig = options.root.join("kubeconfig");
    let mut args: Vec<String> = ["create", "cluster", "--name", name].map(str::to_owned).to_vec();
    args.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
    // Nodes that fail are looked at before they go.
    args.push("--retain".to_owned());
    if let Some(image) = node_image {
        args.extend(["--image".to_owned(), image.to_owned()]);
    }
    if let Some(config) = config {
        args.extend(["--config".to_owned(), config.display().to_string()]);
    }
    let cluster = Thing::Cluster { name: name.to_owned(), kubeconfig };
    made.will_make(cluster.clone());
    let Err(error) = tool::run("kind", args).await else { return Ok(()) };
    let text = format!("{error:#}");
    if text.contains(ANOTHERS) {
        made.forget(&cluster);
        bail!("another run has made the cluster {name} in the meantime; choose another name with --cluster");
    }
    if text.contains(NO_NODE_IMAGE) {
        return Err(error.context(
            "Docker has no such node image and cannot pull it; name one it has with KIND_NODE_IMAGE or \
             --node-image, see: docker images",
        ));
    }
    Err(error)
}

/// Waits until every node takes pods.
pub async fn nodes_ready(kubectl: &Kubectl) -> Result<()> {
    kubectl.run(&["wait", "--for=condition=Ready", "nodes", "--all", NODES_TIMEOUT]).await?;
    Ok(())
}

/// Names of the running nodes of a kind cluster, which are also their containers' names.
pub async fn nodes(cluster: &str) -> Result<Vec<String>> {
    let of_cluster = format!("label=io.x-k8s.kind.cluster={cluster}");
    let format = r#"{{.Names}} {{.Label "io.x-k8s.kind.role"}}"#;
    let listed = tool::run("docker", ["ps", "--filter", &of_cluster, "--format", format]).await?;
    let nodes: Vec<String> = node_names(&listed).map(str::to_owned).collect();
    if nodes.is_empty() {
        bail!(
            "no node of the kind cluster {cluster} runs; start them with: \
             docker start $(kind get nodes --name {cluster})"
        );
    }
    Ok(nodes)
}

fn node_names(listed: &str) -> impl Iterator<Item = &str> {
    listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, role)| *role != LOAD_BALANCER)
        .map(|(name, _)| name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_balancer_of_several_control_planes_is_no_node() {
        let listed = "a-worker worker\na-external-load-balancer external-load-balancer\na-control-plane control-plane\n";
        assert_eq!(node_names(listed).collect::<Vec<_>>(), ["a-worker", "a-control-plane"]);
    }
}
