//! The kind bed: a real cluster, with the emulator and the operator installed in it as users install
//! them. It makes a cluster with `kind`, or uses the one whose context the user names, and no other.
//!
//! Docker holds the images (`just images`); kind, docker and kubectl do the work, since what users
//! would run is what is to be tested.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};

use super::Bed;
use crate::kubernetes;
use crate::progress::Progress;
use crate::scenario::{Context, PROJECT};
use crate::sls::Sls;

mod check;
mod cluster;
mod context;
mod evidence;
mod forward;
mod images;
mod install;
mod kind_config;
pub mod made;
pub mod tool;

use check::check;
use cluster::{connect, create_cluster, nodes_ready};
use evidence::{copy_database, logs};
use forward::Forward;
use images::load_images;
use install::{INSTALLATION, MOCK_SLS, install, rolled_out, serves};
pub use made::Made;
use made::Thing;
use tool::Kubectl;

/// Contexts of kind clusters have this before the cluster's name.
const CONTEXT_PREFIX: &str = "kind-";

/// Longest wait of a scenario for one thing to become true: nodes are slower than processes.
const LIMIT: Duration = Duration::from_secs(120);

/// Which cluster the bed uses.
#[derive(Debug, Clone)]
pub enum Cluster {
    /// One that the bed makes, and takes away at its end.
    New {
        name: String,
        /// Node image; kind's own choice if not given.
        node_image: Option<String>,
        /// A kind configuration; one node if not given.
        config: Option<PathBuf>,
    },
    /// One that the user names. Nodes of a kind cluster get the images loaded; those of any other
    /// must have them, or be able to pull them.
    Existing { context: String },
}

/// How to start the bed.
#[derive(Debug, Clone)]
pub struct Options {
    pub cluster: Cluster,
    /// Folder for the kubeconfig and for what explains a failure.
    pub root: PathBuf,
    /// Leave cluster and installation as they are at the end.
    pub keep: bool,
}

impl Options {
    /// kubectl for the cluster of this bed and no other.
    pub fn kubectl(&self) -> Kubectl {
        match &self.cluster {
            Cluster::New { name, .. } => Kubectl {
                kubeconfig: Some(self.root.join("kubeconfig")),
                context: format!("{CONTEXT_PREFIX}{name}"),
            },
            Cluster::Existing { context } => Kubectl { kubeconfig: None, context: context.clone() },
        }
    }

    /// Name of the kind cluster, if it is one.
    fn kind_cluster(&self) -> Option<&str> {
        match &self.cluster {
            Cluster::New { name, .. } => Some(name),
            Cluster::Existing { context } => context.strip_prefix(CONTEXT_PREFIX),
        }
    }
}

/// A cluster with everything installed.
pub struct Kind {
    options: Options,
    kubectl: Kubectl,
    made: Made,
    client: kube::Client,
    namespace: String,
    forward: Forward,
}

impl Kind {
    /// Checks what is needed, then makes the cluster (if it is to), loads the images and installs.
    /// `made` knows what was made, also when this fails or is dropped half-way.
    ///
    /// # Errors
    /// Something is missing or fails; nothing has been made if it could be known before.
    pub async fn start(options: Options, made: Made, progress: &Progress) -> Result<Self> {
        let (keep, root, kubectl) = (options.keep, options.root.clone(), options.kubectl());
        let kind_cluster = options.kind_cluster().map(str::to_owned);
        let error = match Self::try_start(options, made.clone(), progress).await {
            Ok(kind) => return Ok(kind),
            Err(error) if made.is_empty() => return Err(error),
            Err(error) => error,
        };
        progress.step("collecting what explains the failure");
        evidence::write(&root, &kubectl, &made, kind_cluster.as_deref()).await;
        if keep {
            return Err(error);
        }
        progress.step("removing what was made");
        Err(match made.undo(&kubectl).await {
            Ok(()) => error,
            Err(left) => error.context(format!("{left:#}")),
        })
    }

    async fn try_start(options: Options, made: Made, progress: &Progress) -> Result<Self> {
        let kubectl = options.kubectl();
        progress.step("checking docker, kind and kubectl");
        check(&options, &kubectl, progress).await?;
        let begin = Instant::now();
        if let Cluster::New { name, node_image, config } = &options.cluster {
            progress.step(format!("making the cluster {name}"));
            create_cluster(name, node_image.as_deref(), config.as_deref(), &options, &made).await?;
            progress.done(format!("cluster {name} answers"));
        }
        progress.step("loading the images, installing the emulator and the operator");
        // Nodes of a new cluster become ready meanwhile; pods wait for both.
        let ((), loading) = tokio::try_join!(nodes_ready(&kubectl), images_loaded(&options, progress))?;
        install(&kubectl, &made).await?;
        serves(&kubectl).await?;
        let everything = begin.elapsed().as_secs_f64();
        let forward = Forward::start(&kubectl, 0, &options.root).await?;
        progress.figure(format!(
            "cluster with everything installed: {everything:.1} s (images loaded: {:.1} s)",
            loading.as_secs_f64()
        ));

        let client = connect(&kubectl).await?;
        let namespace = format!("sls-e2e-{:08x}", fastrand::u32(..));
        made.will_make(Thing::Namespace(namespace.clone()));
        let object = Namespace {
            metadata: ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("cannot create namespace {namespace}"))?;
        progress.done(format!("installed; the scenarios run in namespace {namespace}"));
        Ok(Self { options, kubectl, made, client, namespace, forward })
    }
}

/// Loads the images if the nodes are kind's, and returns the time it took.
async fn images_loaded(options: &Options, progress: &Progress) -> Result<Duration> {
    let begin = Instant::now();
    if let Some(name) = options.kind_cluster() {
        match load_images(name).await? {
            0 => progress.done("the nodes have these images already"),
            loaded => progress.done(format!("{loaded} images loaded")),
        }
    }
    Ok(begin.elapsed())
}

impl Bed for Kind {
    fn scenario_context(&self, progress: &Progress) -> Result<Context> {
        Ok(Context {
            kube: self.client.clone(),
            sls: Sls::connect(&format!("http://127.0.0.1:{}", self.forward.port), PROJECT)?,
            namespace: self.namespace.clone(),
            progress: progress.clone(),
            limit: LIMIT,
            images_loaded: true,
            outage: None,
        })
    }

    async fn stop_sls(&mut self) -> Result<()> {
        self.forward.end().await;
        self.kubectl.run(&["-n", INSTALLATION, "scale", MOCK_SLS, "--replicas=0"]).await?;
        Ok(())
    }

    async fn start_sls(&mut self) -> Result<()> {
        self.kubectl.run(&["-n", INSTALLATION, "scale", MOCK_SLS, "--replicas=1"]).await?;
        rolled_out(&self.kubectl, MOCK_SLS).await?;
        self.forward = Forward::start(&self.kubectl, self.forward.port, &self.options.root).await?;
        Ok(())
    }

    async fn write_evidence(&self) {
        let mut files = kubernetes::dump(&self.client).await;
        for (namespace, file) in [(INSTALLATION, "installation.log"), (&self.namespace, "pods.log")] {
            files.push((file.to_owned(), logs(&self.kubectl, namespace).await));
        }
        for (file, text) in files {
            let path = self.options.root.join(file);
            if let Err(error) = std::fs::write(&path, text) {
                tracing::warn!("cannot write {}: {error}", path.display());
            }
        }
        if let Err(error) = copy_database(&self.kubectl, &self.options.root).await {
            tracing::warn!("the emulator's database cannot be copied: {error:#}");
        }
    }

    async fn shutdown(mut self) -> Result<()> {
        self.forward.end().await;
        if self.options.keep {
            eprintln!(
                "e2e: keeping namespaces {INSTALLATION} and {}; look with: {} get all -A",
                self.namespace,
                self.kubectl.prefix()
            );
            return Ok(());
        }
        self.made.undo(&self.kubectl).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_context_is_used_as_it_is_and_a_new_cluster_has_its_own_kubeconfig() {
        let options = |cluster| Options { cluster, root: "/r".into(), keep: false };
        let existing = options(Cluster::Existing { context: "prod".into() });
        assert_eq!(existing.kubectl().prefix(), "kubectl --context prod");
        assert_eq!(existing.kind_cluster(), None);
        let new = options(Cluster::New { name: "a".into(), node_image: None, config: None });
        assert_eq!(new.kubectl().prefix(), "kubectl --kubeconfig /r/kubeconfig --context kind-a");
        assert_eq!(new.kind_cluster(), Some("a"));
    }
}
