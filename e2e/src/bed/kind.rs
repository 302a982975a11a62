//! The kind bed: a real cluster, with the emulator and the operator installed in it as users install
//! them. It makes a cluster with `kind`, or uses the one whose context the user names, and no other.
//!
//! Docker holds the images (`just images`); kind, docker and kubectl do the work, since what users
//! would run is what is to be tested.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams};
use tempfile::TempPath;
use tokio::sync::Mutex;

use super::{Bed, Memory, Need, Place};
use crate::kubernetes;
use crate::progress::{Progress, say};
use crate::report::Figure;
use crate::scenario::{Context, Names};
use crate::sls::Sls;

mod check;
mod cluster;
mod context;
mod evidence;
mod faults;
mod forward;
mod images;
mod install;
mod kind_config;
pub mod made;
pub mod tool;

use check::check;
use cluster::{connect, create_cluster, nodes_ready};
use faults::Cuts;
use forward::Forward;
use images::{load_images, pack_all};
use install::{
    INSTALLATION, MOCK_SLS, MOCK_SLS_LABEL, OPERATOR, OPERATOR_LABEL, install, rolled_out, serves,
};
pub use made::Made;
use made::Thing;
use tool::Kubectl;

/// Contexts of kind clusters have this before the cluster's name.
const CONTEXT_PREFIX: &str = "kind-";

/// Longest wait of a scenario for one thing to become true: nodes are slower than processes.
const LIMIT: Duration = Duration::from_secs(240);

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
    /// Whether the API server evaluates MutatingAdmissionPolicies.
    policies: bool,
    /// Beginning of the names of the scenarios' namespaces.
    prefix: String,
    cuts: Cuts,
    figures: Vec<Figure>,
    sls_port: u16,
    forward: Mutex<Forward>,
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
        let mut packed = None;
        if let Cluster::New { name, node_image, config } = &options.cluster {
            progress.step(format!("making the cluster {name}"));
            let create = create_cluster(name, node_image.as_deref(), config.as_deref(), &options, &made);
            let ((), archive) = tokio::try_join!(create, pack_all(&options.root))?;
            packed = Some(archive);
            progress.done(format!("cluster {name} answers"));
        }
        progress.step("loading the images, installing the emulator and the operator");
        // Nodes of a new cluster become ready meanwhile; pods wait for both.
        let ((), loading) =
            tokio::try_join!(nodes_ready(&kubectl), images_loaded(&options, packed, progress))?;
        install(&kubectl, &made).await?;
        serves(&kubectl).await?;
        let everything = begin.elapsed().as_secs_f64();
        let forward = Forward::start(&kubectl, 0, &options.root).await?;
        let figures = vec![
            Figure::new("cluster with everything installed", everything, "s"),
            Figure::new("of it, until the images were loaded", loading.as_secs_f64(), "s"),
        ];

        let client = connect(&kubectl).await?;
        let policies = kubernetes::has_mutating_policies(&client).await?;
        let prefix = format!("sls-e2e-{:08x}", fastrand::u32(..));
        progress.done(format!("installed; the scenarios run in namespaces {prefix}-…"));
        Ok(Self {
            options,
            kubectl,
            made,
            client,
            policies,
            prefix,
            cuts: Cuts::default(),
            figures,
            sls_port: forward.port,
            forward: Mutex::new(forward),
        })
    }
}

/// Loads the images if the nodes are kind's, and returns the time it took.
async fn images_loaded(options: &Options, packed: Option<TempPath>, progress: &Progress) -> Result<Duration> {
    let begin = Instant::now();
    if let Some(name) = options.kind_cluster() {
        match load_images(name, packed, &options.root).await? {
            0 => progress.done("the nodes have these images already"),
            loaded => progress.done(format!("{loaded} images loaded")),
        }
    }
    Ok(begin.elapsed())
}

impl Bed for Kind {
    fn offers(&self, need: Need) -> Result<(), String> {
        match need {
            Need::Roles => Ok(()),
            Need::Memory => Ok(()),
            Need::Policies if self.policies => Ok(()),
            Need::Policies => {
                Err("its API server has no MutatingAdmissionPolicy of v1: that is Kubernetes 1.36 and newer"
                    .to_owned())
            }
            Need::Kill | Need::Cut if self.options.kind_cluster().is_some() => Ok(()),
            Need::Kill | Need::Cut => {
                Err("the cluster is not kind's, so its nodes cannot be entered".to_owned())
            }
        }
    }

    async fn open(&self, scenario: &str, names: Names, progress: &Progress) -> Result<Context> {
        let namespace = format!("{}-{scenario}", self.prefix);
        self.made.will_make(Thing::Namespace(namespace.clone()));
        kubernetes::create_namespace(&self.client, &namespace).await?;
        Ok(Context {
            kube: self.client.clone(),
            sls: Sls::connect(&format!("http://127.0.0.1:{}", self.sls_port), &names.project)?,
            namespace,
            names,
            progress: progress.clone(),
            limit: LIMIT,
            images_loaded: true,
            probe_seconds: None,
            outage: None,
        })
    }

    async fn close(&self, ctx: &Context) -> Result<()> {
        if !self.options.keep {
            // Nobody waits for it now; the end of the bed does.
            let api = Api::<Namespace>::all(self.client.clone());
            api.delete(&ctx.namespace, &DeleteParams::background()).await?;
        }
        Ok(())
    }

    async fn restart_operator(&self) -> Result<()> {
        let kill = ["-n", INSTALLATION, "delete", "pod", "-l", OPERATOR_LABEL, "--grace-period=0", "--force"];
        self.kubectl.run(&kill).await?;
        // The Deployment's status may still count the old one.
        kubernetes::wait_ready(&self.client, INSTALLATION, OPERATOR_LABEL, 1, LIMIT).await?;
        Ok(())
    }

    async fn operator_log(&self) -> Result<String> {
        self.kubectl.run(&["-n", INSTALLATION, "logs", OPERATOR]).await
    }

    async fn kill(&self, place: &Place) -> Result<()> {
        faults::kill(place).await
    }

    async fn cut(&self, pod: &Pod) -> Result<()> {
        let emulators = kubernetes::pods(&self.client, INSTALLATION, MOCK_SLS_LABEL).await?;
        self.cuts.add(pod, &emulators).await
    }

    async fn mend(&self) -> Result<()> {
        self.cuts.remove_all().await
    }

    fn runs_shipped_containers(&self) -> bool {
        true
    }

    async fn memory(&self, place: &Place) -> Result<Memory> {
        let read = ["exec", &place.pod, "-c", &place.container, "--", "cat"];
        let files = ["/proc/1/smaps_rollup", "/proc/1/status"];
        let args: Vec<&str> = ["-n", &place.namespace].into_iter().chain(read).chain(files).collect();
        Memory::parse(&self.kubectl.run(&args).await?)
    }

    async fn kubectl(&self, args: &[&str]) -> Result<Option<String>> {
        self.kubectl.run(args).await.map(Some)
    }

    async fn stop_sls(&self) -> Result<()> {
        self.forward.lock().await.end().await;
        self.kubectl.run(&["-n", INSTALLATION, "scale", MOCK_SLS, "--replicas=0"]).await?;
        // Its pod serves until it has ended.
        kubernetes::wait_ready(&self.client, INSTALLATION, MOCK_SLS_LABEL, 0, LIMIT).await?;
        Ok(())
    }

    async fn start_sls(&self) -> Result<()> {
        self.kubectl.run(&["-n", INSTALLATION, "scale", MOCK_SLS, "--replicas=1"]).await?;
        rolled_out(&self.kubectl, MOCK_SLS).await?;
        let forward = Forward::start(&self.kubectl, self.sls_port, &self.options.root).await?;
        *self.forward.lock().await = forward;
        Ok(())
    }

    fn figures(&self) -> Vec<Figure> {
        self.figures.clone()
    }

    async fn write_evidence(&self) {
        evidence::write(&self.options.root, &self.kubectl, &self.made, self.options.kind_cluster()).await;
    }

    async fn shutdown(mut self) -> Result<()> {
        self.forward.get_mut().end().await;
        let mended = self.cuts.remove_all().await;
        if self.options.keep {
            mended?;
            say(format!(
                "keeping namespaces {INSTALLATION} and {}-…; look with: {} get all -A",
                self.prefix,
                self.kubectl.prefix()
            ));
            return Ok(());
        }
        let undone = self.made.undo(&self.kubectl).await;
        match self.options.cluster {
            // It goes with its rules.
            Cluster::New { .. } => undone,
            Cluster::Existing { .. } => mended.and(undone),
        }
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
