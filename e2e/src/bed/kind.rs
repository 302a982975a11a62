//! The kind bed: a real cluster, with the emulator and the operator installed in it as users install
//! them. It makes a cluster with `kind`, or uses the one whose context the user names, and no other.
//!
//! Docker holds the images (`just images`); kind, docker and kubectl do the work, since what users
//! would run is what is to be tested.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fixtures::repaired;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::Bed;
use crate::kubernetes;
use crate::manifest::{self, SIDECAR, WRITER};
use crate::progress::Progress;
use crate::scenario::{Context, PROJECT};
use crate::sls::Sls;

pub mod made;
pub mod tool;

pub use made::Made;
use made::Thing;
use tool::Kubectl;

/// What is installed, as users install it.
const KUSTOMIZATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kustomize");
/// Namespace of the installation. Source: the kustomization.
const INSTALLATION: &str = "sls-bed";
/// The Deployments in it.
const MOCK_SLS: &str = "deployment/mock-sls";
const OPERATOR: &str = "deployment/sls-operator";
/// The installed CRD.
const CRD: &str = "crd/aliyunlogconfigs.log.alibabacloud.com";
/// Images of the installation. Source: `deploy/images/build.sh` and the kustomization.
const MOCK_SLS_IMAGE: &str = "sls-bed/mock-sls:dev";
const OPERATOR_IMAGE: &str = "sls-bed/operator:dev";
/// Images that take the place of the document's: for the container of that name in its manifest.
const STAND_INS: [(&str, &str); 2] = [(SIDECAR, "sls-bed/collector:dev"), (WRITER, "sls-bed/mock_log:dev")];
/// What containerd puts before a name without a registry, as Docker does.
const DEFAULT_REGISTRY: &str = "docker.io/";
/// Contexts of kind clusters have this before the cluster's name.
const CONTEXT_PREFIX: &str = "kind-";

/// Longest wait for a new node, as kind takes it, and for a Deployment, as kubectl takes it.
const NODE_WAIT: &str = "180s";
const ROLLOUT_TIMEOUT: &str = "--timeout=120s";
/// Longest wait for the port to be forwarded.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(30);
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
        let started = Self::try_start(options.clone(), made.clone(), progress).await;
        match started {
            Err(error) if !options.keep => Err(match made.undo(&options.kubectl()).await {
                Ok(()) => error,
                Err(left) => error.context(format!("{left:#}")),
            }),
            other => other,
        }
    }

    async fn try_start(options: Options, made: Made, progress: &Progress) -> Result<Self> {
        let kubectl = options.kubectl();
        progress.step("checking docker, kind and kubectl");
        check(&options, &kubectl).await?;
        if let Cluster::New { name, node_image, config } = &options.cluster {
            progress.step(format!("making the cluster {name}"));
            create_cluster(name, node_image.as_deref(), config.as_deref(), &options, &made).await?;
            progress.done(format!("cluster {name} is up"));
        }
        if let Some(name) = options.kind_cluster() {
            progress.step("loading the images");
            load_images(name).await?;
        }

        progress.step("installing the emulator and the operator");
        made.will_make(Thing::Installation(KUSTOMIZATION.into()));
        kubectl.run(&["apply", "-k", KUSTOMIZATION]).await?;
        for deployment in [MOCK_SLS, OPERATOR] {
            rolled_out(&kubectl, deployment).await?;
        }
        let forward = Forward::start(&kubectl, 0, &options.root).await?;

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

/// All that can be known before anything is made.
async fn check(options: &Options, kubectl: &Kubectl) -> Result<()> {
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

async fn create_cluster(
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

fn images() -> [&'static str; 4] {
    let [(_, first), (_, second)] = STAND_INS;
    [MOCK_SLS_IMAGE, OPERATOR_IMAGE, first, second]
}

/// Loads our images into every node and gives those of the example the document's names there; on the
/// user's own Docker those names stay what they are.
async fn load_images(cluster: &str) -> Result<()> {
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

async fn rolled_out(kubectl: &Kubectl, deployment: &str) -> Result<()> {
    let rollout = ["-n", INSTALLATION, "rollout", "status", deployment, ROLLOUT_TIMEOUT];
    if let Err(error) = kubectl.run(&rollout).await {
        let pods = kubectl.run(&["-n", INSTALLATION, "describe", "pods"]).await.unwrap_or_default();
        let events: Vec<&str> = pods.lines().filter(|line| line.contains("Warning")).collect();
        let log = logs(kubectl, INSTALLATION).await;
        bail!("{error:#}; warnings there: {}; logs there: {}", events.join(" / "), log.replace('\n', " / "));
    }
    Ok(())
}

async fn connect(kubectl: &Kubectl) -> Result<kube::Client> {
    let kubeconfig = match &kubectl.kubeconfig {
        Some(path) => Kubeconfig::read_from(path)?,
        None => Kubeconfig::read()?,
    };
    let options = KubeConfigOptions { context: Some(kubectl.context.clone()), ..Default::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    kube::Client::try_from(config).context("no client for the cluster")
}

/// The logs of all containers of the namespace's pods, also of their earlier instances.
async fn logs(kubectl: &Kubectl, namespace: &str) -> String {
    let list = ["-n", namespace, "get", "pods", "-o", "name"];
    let pods = kubectl.run(&list).await.unwrap_or_else(|error| format!("{error:#}"));
    let mut text = String::new();
    for pod in pods.lines() {
        for previous in [false, true] {
            let flag = format!("--previous={previous}");
            let args = ["-n", namespace, "logs", pod, "--all-containers", "--prefix", &flag];
            match kubectl.run(&args).await {
                Ok(log) => text.push_str(&log),
                // Containers that ran once have no earlier instance.
                Err(_) if previous => {}
                Err(error) => text.push_str(&format!("{pod}: {error:#}\n")),
            }
        }
    }
    text
}

async fn copy_database(kubectl: &Kubectl, root: &Path) -> Result<()> {
    let list = ["-n", INSTALLATION, "get", "pods", "-l", "app.kubernetes.io/name=mock-sls", "-o", "name"];
    let pods = kubectl.run(&list).await?;
    let pod = pods.lines().find_map(|line| line.strip_prefix("pod/")).context("it has no pod")?;
    let from = format!("{INSTALLATION}/{pod}:/var/lib/mock-sls");
    kubectl.run(&["cp", &from, &root.join("mock-sls").display().to_string()]).await?;
    Ok(())
}

/// A port of this machine that leads to the emulator. Works with every cluster, wherever it runs.
struct Forward {
    child: Child,
    port: u16,
}

impl Forward {
    /// Forwards `port`, or a free one if that is 0. What kubectl complains about goes to a file in
    /// `root`.
    async fn start(kubectl: &Kubectl, port: u16, root: &Path) -> Result<Self> {
        let from = if port == 0 { String::new() } else { port.to_string() };
        let ports = format!("{from}:8080");
        let args = ["-n", INSTALLATION, "port-forward", "--address=127.0.0.1", "service/mock-sls", &ports];
        let mut command = kubectl.command(&args);
        let shown = tool::shown(&command);
        let complaints = std::fs::File::options()
            .create(true)
            .append(true)
            .open(root.join("port-forward.log"))
            .context("cannot open port-forward.log")?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .with_context(|| format!("`{shown}` cannot be run"))?;
        let stdout = child.stdout.take().context("kubectl has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(FORWARD_TIMEOUT, lines.next_line())
            .await
            .with_context(|| format!("`{shown}` says nothing"))??
            .with_context(|| format!("`{shown}` ended; see port-forward.log"))?;
        let port = forwarded_port(&first).with_context(|| format!("`{shown}` says {first:?}"))?;
        // It writes a line for every connection and must never wait for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, port })
    }

    async fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }
}

/// The local port in `Forwarding from 127.0.0.1:41234 -> 8080`.
fn forwarded_port(line: &str) -> Option<u16> {
    let (from, _) = line.split_once(" -> ")?;
    from.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_port_is_read_from_kubectls_first_line() {
        assert_eq!(forwarded_port("Forwarding from 127.0.0.1:41234 -> 8080"), Some(41234));
        assert_eq!(forwarded_port("error: no pods"), None);
    }

    #[test]
    fn every_container_of_the_example_has_a_stand_in() {
        let job = kubernetes::parse(repaired::SIDECAR_JOB).expect("the job");
        for (container, _) in manifest::images(&job) {
            assert!(STAND_INS.iter().any(|(name, _)| *name == container), "{container}");
        }
    }

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
