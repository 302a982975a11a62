//! Brings the images from Docker into the nodes of a kind cluster.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fixtures::repaired;
use futures::future::try_join_all;
use serde_json::Value;
use tempfile::TempPath;

use super::cluster::nodes;
use super::tool;
use crate::bed::image::{MOCK_SLS_IMAGE, STAND_INS, stand_in};
use crate::{kubernetes, manifest};

/// Image of the operator. Source: `deploy/images/build.sh` and the kustomization.
const OPERATOR_IMAGE: &str = "sls-bed/operator:dev";
/// What containerd puts before a name without a registry, as Docker does.
const DEFAULT_REGISTRY: &str = "docker.io/";
/// containerd's client in a node, in the namespace that Kubernetes uses.
const CTR: [&str; 2] = ["ctr", "--namespace=k8s.io"];
/// What Docker says of an image it has not, in any case of letters.
const NO_SUCH_IMAGE: &str = "no such image";

/// All that nodes need of ours.
fn images() -> [&'static str; 4] {
    let [(_, first), (_, second)] = STAND_INS;
    [MOCK_SLS_IMAGE, OPERATOR_IMAGE, first, second]
}

/// One of our images as Docker has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    name: &'static str,
    /// Digest of its configuration, or of its manifest where Docker keeps images in containerd.
    id: String,
}

/// Our images in Docker.
///
/// # Errors
/// Docker has not all of them.
pub async fn in_docker() -> Result<Vec<Image>> {
    let found = try_join_all(images().map(find)).await?;
    let missing: Vec<&str> =
        images().into_iter().zip(&found).filter(|(_, id)| id.is_none()).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        bail!("Docker has no image {}; make all of them with: just images", missing.join(", "));
    }
    let images = images().into_iter().zip(found);
    Ok(images.filter_map(|(name, id)| id.map(|id| Image { name, id })).collect())
}

async fn find(name: &str) -> Result<Option<String>> {
    match tool::run("docker", ["image", "inspect", "--format={{.Id}}", name]).await {
        Ok(id) => Ok(Some(id.trim().to_owned())),
        Err(error) if error.to_string().to_lowercase().contains(NO_SUCH_IMAGE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Packs images of Docker's into one file in `folder`, which goes when this is dropped.
pub async fn pack(images: &[&str], folder: &Path) -> Result<TempPath> {
    let archive = tempfile::Builder::new().prefix("images-").suffix(".tar").tempfile_in(folder);
    let archive = archive.context("cannot make a file for the images")?.into_temp_path();
    let to = archive.display().to_string();
    tool::run("docker", ["save", "--output", &to].iter().chain(images)).await?;
    Ok(archive)
}

/// Packs all of ours.
pub async fn pack_all(folder: &Path) -> Result<TempPath> {
    pack(&images(), folder).await
}

/// Loads our images into every node that has not exactly these, and gives those of the example the
/// document's names there; on the user's own Docker those names stay what they are. They come out of
/// `packed` if that is given, else out of a file in `folder`. Returns how many had to be loaded.
pub async fn load_images(cluster: &str, packed: Option<TempPath>, folder: &Path) -> Result<usize> {
    let (images, nodes) = (in_docker().await?, nodes(cluster).await?);
    let lacking = lacking(&nodes, &images).await?;
    let (of, what): (BTreeSet<&str>, BTreeSet<&str>) = lacking.iter().copied().unzip();
    let (of, what) = (Vec::from_iter(of).join(","), Vec::from_iter(what));
    if !what.is_empty() {
        let archive = match packed {
            Some(archive) => archive,
            None => pack(&what, folder).await?,
        };
        // `kind load docker-image` would look at each image on each node, and load more than is lacking
        // where a node has no crictl. Nodes are loaded at the same time.
        let path = archive.display().to_string();
        tool::run("kind", ["load", "image-archive", &path, "--name", cluster, "--nodes", &of]).await?;
        if let Some((node, image)) = self::lacking(&nodes, &images).await?.first() {
            bail!("kind has loaded {image}, but node {node} has another image of that name");
        }
    }
    let names = document_names()?;
    try_join_all(nodes.iter().map(|node| tag(node, &names))).await?;
    Ok(what.len())
}

/// Which node lacks which image; one of the same name that is another does not count.
async fn lacking<'a>(nodes: &'a [String], images: &[Image]) -> Result<Vec<(&'a str, &'static str)>> {
    let of_node = |node: &'a String| async move {
        let listed = in_node(node, &["images", "list"]).await?;
        let mut lacking = Vec::new();
        for image in images {
            if !has(node, &listed, image).await {
                lacking.push((node.as_str(), image.name));
            }
        }
        anyhow::Ok(lacking)
    };
    Ok(try_join_all(nodes.iter().map(of_node)).await?.concat())
}

async fn has(node: &str, listed: &str, image: &Image) -> bool {
    let Some(digest) = digest_of(listed, image.name) else { return false };
    if digest == image.id {
        return true;
    }
    // What cannot be read is loaded again.
    in_node(node, &["content", "get", digest])
        .await
        .is_ok_and(|manifest| configuration_is(&manifest, &image.id))
}

/// The digest that `ctr images list` names for an image of ours.
fn digest_of<'a>(listed: &'a str, name: &str) -> Option<&'a str> {
    let full = format!("{DEFAULT_REGISTRY}{name}");
    listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|fields| match *fields {
        [reference, _, digest, ..] if reference == full => Some(digest),
        _ => None,
    })
}

fn configuration_is(manifest: &str, id: &str) -> bool {
    serde_json::from_str::<Value>(manifest).is_ok_and(|manifest| manifest["config"]["digest"] == id)
}

/// Our image and the document's name for it, of every container of the example.
fn document_names() -> Result<Vec<(String, String)>> {
    let job = kubernetes::parse(repaired::SIDECAR_JOB)?;
    let mut names = Vec::new();
    for (container, named) in manifest::images(&job) {
        names.push((format!("{DEFAULT_REGISTRY}{}", stand_in(&container)?), named));
    }
    Ok(names)
}

async fn tag(node: &str, names: &[(String, String)]) -> Result<()> {
    for (ours, named) in names {
        in_node(node, &["images", "tag", "--force", ours, named]).await?;
    }
    Ok(())
}

/// Runs containerd's client in a node.
///
/// # Errors
/// It fails.
pub async fn in_node(node: &str, args: &[&str]) -> Result<String> {
    tool::run("docker", ["exec", node].iter().chain(&CTR).chain(args)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_of_the_example_has_a_stand_in() {
        assert_eq!(document_names().expect("names").len(), STAND_INS.len());
    }

    #[test]
    fn an_image_of_a_node_is_known_by_its_digest_and_by_its_configurations() {
        let listed = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
            docker.io/sls-bed/operator:dev application/vnd.docker sha256:aa 9.1 MiB linux/amd64 x=y\n\
            docker.io/sls-bed/operator:old application/vnd.docker sha256:bb 9.1 MiB linux/amd64 x=y\n";
        assert_eq!(digest_of(listed, OPERATOR_IMAGE), Some("sha256:aa"));
        assert_eq!(digest_of(listed, MOCK_SLS_IMAGE), None);
        let manifest = r#"{"config": {"digest": "sha256:cc"}, "layers": []}"#;
        assert!(configuration_is(manifest, "sha256:cc"));
        assert!(!configuration_is(manifest, "sha256:aa"));
        assert!(!configuration_is("not JSON", "sha256:aa"));
    }
}
