//! Starts one container of a pod: image, environment, volumes, log, process.
//!
//! Called by the worker in a task of its own, as it asks the API server and waits for the shim.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt;
use rustix::process::Signal;
use tokio::sync::OnceCell;

use super::Node;
use super::check;
use super::env::{self, Addresses};
use super::manifest::{ContainerManifest, Manifest};
use super::sources::Sources;
use super::volumes::{self, Volumes};
use crate::pods::containers::rootfs::VolumeMount;
use crate::pods::containers::spec::{Mode, PREFIX_VARIABLE};
use crate::pods::containers::{self, Container, ContainerConfig, StartError};
use crate::pods::expand::expand;
use crate::pods::image::{self, Image};
use crate::pods::logs::LogWriter;

/// Longest run of a `postStart` hook, which Kubernetes does not bound. A guess.
const POST_START_TIMEOUT: Duration = Duration::from_secs(120);

/// Default of `terminationMessagePath`. Source: Kubernetes API reference, Container.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Everything needed to start a container.
pub struct Job {
    /// The node.
    pub node: Arc<Node>,
    /// The pod.
    pub pod: core::Pod,
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// Which container.
    pub index: usize,
    /// Which instance of it.
    pub instance: Instance,
    /// Addresses of pod and node.
    pub addresses: Addresses,
    /// The pod's volumes, made by the first container that starts.
    pub volumes: Arc<OnceCell<Volumes>>,
}

/// One run of a container.
pub struct Instance {
    /// Directory of the pod.
    pub directory: PathBuf,
    /// 0 for the first run.
    pub number: u32,
}

/// Why a container is not running.
#[derive(Debug)]
pub enum NotStarted {
    /// Something outside of the container is missing.
    Held(Held),
    /// It was tried, and the program did not start.
    Failed(String),
}

/// What is missing.
#[derive(Debug)]
pub struct Held {
    /// The waiting state's reason.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// It may be there later.
    pub retries: bool,
}

impl Job {
    /// Starts the container.
    ///
    /// # Errors
    /// See [`NotStarted`]; an event has been said already.
    pub async fn run(self) -> Result<Container, NotStarted> {
        let result = self.start().await;
        if let Err(not_started) = &result {
            let (reason, message) = match not_started {
                NotStarted::Held(Held { reason: "ContainerCreating", message, .. }) => {
                    ("FailedMount", message.clone())
                }
                NotStarted::Held(Held { message, .. }) => ("Failed", format!("Error: {message}")),
                NotStarted::Failed(message) => ("Failed", format!("Error: {message}")),
            };
            self.node.recorder.warning(&self.pod, reason, message);
        }
        result
    }

    fn container(&self) -> &ContainerManifest {
        &self.manifest.containers[self.index]
    }

    async fn start(&self) -> Result<Container, NotStarted> {
        let image = self.image()?;
        let config_error = |message: String| held("CreateContainerConfigError", message);
        let sources = Sources::fetch(&self.node.client, &self.pod)
            .await
            .map_err(|error| config_error(format!("cannot fetch ConfigMaps and Secrets: {error}")))?;
        let volumes = self.volumes(&sources).await?;
        let spec = &self.container().spec;
        let given = env::environment(&self.pod, spec, &self.addresses, &sources)
            .map_err(|error| config_error(error.to_string()))?;
        let mut mounts =
            volumes::mounts(spec, volumes, &given).map_err(|error| config_error(error.to_string()))?;
        let expanded = |words: &Option<Vec<String>>| {
            words.as_ref().map(|words| words.iter().map(|word| expand(word, &given)).collect())
        };
        let (command, args): (Option<Vec<_>>, Option<Vec<_>>) =
            (expanded(&spec.command), expanded(&spec.args));
        let argv = image::command_line(image, command.as_deref(), args.as_deref());
        let log = self
            .log()
            .map_err(|error| config_error(format!("cannot create the container's log: {error}")))?;
        let name = self.pod.name_any();
        let containers = self.instance.directory.join("containers");
        let directory = containers.join(&spec.name).join(self.instance.number.to_string());
        let message = termination_log(&directory, spec)
            .map_err(|error| config_error(format!("cannot create the termination log: {error}")))?;
        mounts.push(message);
        let config = ContainerConfig {
            directory,
            pod_name: &name,
            pod_ip: &self.addresses.pod_ip,
            image,
            argv,
            env: self.node.config.container_env.iter().cloned().chain(given).collect(),
            cwd: working_directory(spec, image),
            volumes: mounts,
        };
        self.say("Created", format!("Created container: {}", spec.name));
        let container = self.node.runtime.start(config, log).await.map_err(not_started)?;
        if self.node.runtime.mode == Mode::Prefix {
            let text = format!(
                "container {} is not isolated from the machine; its files lie below the path in {PREFIX_VARIABLE}",
                spec.name
            );
            self.node.recorder.warning(&self.pod, "Isolation", text);
        }
        for warning in &container.warnings {
            let text = format!("container {}: {warning}", spec.name);
            self.node.recorder.warning(&self.pod, "Isolation", text);
        }
        self.say("Started", format!("Started container {}", spec.name));
        self.post_start(&container).await;
        Ok(container)
    }

    fn image(&self) -> Result<&Image, NotStarted> {
        let images = &self.node.config.images;
        let reference = self.container().spec.image.as_deref().unwrap_or_default();
        let Some(image) = image::find(images, reference) else {
            let known: Vec<&str> = images.iter().map(|image| image.pattern.as_str()).collect();
            let message = format!(
                "failed to pull image {reference:?}: there is no registry here and no image of \
                 the bed has this name; known are: {}",
                known.join(", ")
            );
            return Err(NotStarted::Held(Held { reason: "ErrImagePull", message, retries: false }));
        };
        self.say("Pulled", format!("Container image {reference:?} already present on machine"));
        Ok(image)
    }

    async fn volumes(&self, sources: &Sources) -> Result<&Volumes, NotStarted> {
        let directory = self.instance.directory.join("volumes");
        let made = self
            .volumes
            .get_or_try_init(|| async { volumes::prepare(&self.pod, &directory, &self.addresses, sources) });
        made.await.map_err(|error| held("ContainerCreating", format!("MountVolume.SetUp failed: {error}")))
    }

    fn log(&self) -> std::io::Result<LogWriter> {
        let container = &self.container().name;
        let path =
            self.node.log_directory(&self.pod).join(container).join(format!("{}.log", self.instance.number));
        let writer = LogWriter::create(&path)?;
        let namespace = self.pod.namespace().unwrap_or_default();
        let uid = self.pod.uid().unwrap_or_default();
        self.node.logs.add(&namespace, &self.pod.name_any(), &uid, container, writer.file());
        Ok(writer)
    }

    /// A container whose hook fails is killed, and its restart policy decides.
    async fn post_start(&self, container: &Container) {
        let Some(hook) = &self.container().post_start else { return };
        let pod_ip = &self.addresses.pod_ip;
        if let Err(why) = check::run(hook, container, pod_ip, POST_START_TIMEOUT).await {
            let text = format!("PostStartHook failed: {why}");
            self.node.recorder.warning(&self.pod, "FailedPostStartHook", text);
            container.signal(Signal::KILL).await;
        }
    }

    fn say(&self, reason: &'static str, message: String) {
        self.node.recorder.normal(&self.pod, reason, message);
    }
}

/// An empty file, mounted where the container is to leave its termination message.
fn termination_log(directory: &Path, spec: &core::Container) -> std::io::Result<VolumeMount> {
    std::fs::create_dir_all(directory)?;
    let source = containers::termination_log(directory);
    std::fs::write(&source, "")?;
    let target = spec.termination_message_path.as_deref().unwrap_or(TERMINATION_LOG);
    Ok(VolumeMount { source, target: PathBuf::from(target), read_only: false })
}

fn held(reason: &'static str, message: String) -> NotStarted {
    NotStarted::Held(Held { reason, message, retries: true })
}

fn not_started(error: StartError) -> NotStarted {
    NotStarted::Failed(error.to_string())
}

fn working_directory(spec: &core::Container, image: &Image) -> PathBuf {
    let given = spec.working_dir.as_ref().filter(|given| !given.is_empty()).map(PathBuf::from);
    PathBuf::from("/").join(given.unwrap_or_else(|| image.working_dir.clone()))
}
