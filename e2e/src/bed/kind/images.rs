//! Brings the images from Docker into the nodes of a kind cluster.

use anyhow::{Result, bail};
use fixtures::repaired;

use super::tool;
use crate::kubernetes;
use crate::manifest::{self, SIDECAR, WRITER};

/// Images of the installation. Source: `deploy/images/build.sh` and the kustomization.
const MOCK_SLS_IMAGE: &str = "sls-bed/mock-sls:dev";
const OPERATOR_IMAGE: &str = "sls-bed/operator:dev";
/// Images that take the place of the document's: for the container of that name in its manifest.
const STAND_INS: [(&str, &str); 2] = [(SIDECAR, "sls-bed/collector:dev"), (WRITER, "sls-bed/mock_log:dev")];
/// What containerd puts before a name without a registry, as Docker does.
const DEFAULT_REGISTRY: &str = "docker.io/";

/// All that nodes need of ours.
pub fn images() -> [&'static str; 4] {
    let [(_, first), (_, second)] = STAND_INS;
    [MOCK_SLS_IMAGE, OPERATOR_IMAGE, first, second]
}

/// Loads our images into every node and gives those of the example the document's names there; on the
/// user's own Docker those names stay what they are.
pub async fn load_images(cluster: &str) -> Result<()> {
    let load = ["load", "docker-image", "--name", cluster].into_iter().chain(images());
    tool::run("kind", load).await?;
    let job = kubernetes::parse(repaired::SIDECAR_JOB)?;
    let nodes = tool::run("kind", ["get", "nodes", "--name", cluster]).await?;
    for (container, named) in manifest::images(&job) {
        let Some((_, ours)) = STAND_INS.iter().find(|(name, _)| *name == container) else {
            bail!("no image of ours stands in for container {container} of the example");
        };
        let ours = format!("{DEFAULT_REGISTRY}{ours}");
        for node in nodes.split_whitespace() {
            let tag = ["ctr", "--namespace=k8s.io", "images", "tag", "--force", &ours, &named];
            tool::run("docker", ["exec", node].into_iter().chain(tag)).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_of_the_example_has_a_stand_in() {
        let job = kubernetes::parse(repaired::SIDECAR_JOB).expect("the job");
        for (container, _) in manifest::images(&job) {
            assert!(STAND_INS.iter().any(|(name, _)| *name == container), "{container}");
        }
    }
}
