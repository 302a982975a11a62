//! The embedded bed: emulator, API server and pod runner in this process, the operator and every
//! container as processes of their own. No cluster, no Docker, no network but loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use mock_sls::{Config, ConsoleSettings, Data, MockSls};
use operator::webhook::configurations::{self, FailurePolicy};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::{Bed, Memory, Need, Place, REGION, image};
use crate::component::{self, name};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::pods::{Isolation, PodRunner, RunnerConfig};
use crate::progress::Progress;
use crate::scenario::{Context, Names};
use crate::sls::Sls;

/// Namespace of the document's manifests.
pub const NAMESPACE: &str = "default";
/// Name and address of the bed's one node.
const NODE_NAME: &str = "sls-bed";
const NODE_IP: &str = "127.0.0.1";
/// Seconds between liveness probes of the document's Job; its own 30 would outlast a run.
const PROBE_SECONDS: u32 = 1;
/// Longest wait for one thing to become true.
const LIMIT: Duration = Duration::from_secs(180);
/// Time all pods together get to end when the bed ends: a collector may have lines to deliver.
const POD_GRACE: Duration = Duration::from_secs(10);
/// Time the operator gets to end by itself.
const OPERATOR_GRACE: Duration = Duration::from_secs(5);

/// Namespace of the operator's webhook, as in deploy/kustomize.
const OPERATOR_NAMESPACE: &str = "sls-bed";
/// Port of the probes of sidecars that the webhook adds: pods share the host's loopback, so one that others do not use.
const SIDECAR_PORTS: u16 = 10_000;

/// What the operator says, in the bed's folder.
const OPERATOR_LOG: &str = "operator.log";

/// How to start the bed.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bed's executable, which is all the programs in the containers.
    pub component_exe: PathBuf,
    /// Folder for everything the bed writes; it stays when the bed goes.
    pub root: PathBuf,
    pub isolation: Isolation,
    /// Port of the emulator; 0 takes a free one.
    pub sls_port: u16,
    /// Port of the API server; 0 takes a free one.
    pub kube_port: u16,
    /// Start everything but the emulator, to see how the others bear it.
    pub without_sls: bool,
    /// Port of the emulator's console on loopback, 0 for a free one; without it there is none.
    pub console_port: Option<u16>,
}

/// A running bed. Dropping it ends everything it started.
pub struct Embedded {
    options: Options,
    sls_address: SocketAddr,
    /// How the emulator's console is started again at the same port.
    console: Option<ConsoleSettings>,
    sls: Mutex<Option<mock_sls::Running>>,
    kube: kube_sim::Running,
    pods: crate::pods::Running,
    operator: Mutex<Child>,
    /// Where the operator's webhook listens.
    webhook: SocketAddr,
    client: Client,
}

impl Embedded {
    /// Starts all parts and waits until the API server serves the operator's kind.
    ///
    /// # Errors
    /// A part that cannot start; the message names it.
    pub async fn start(options: Options, progress: &Progress) -> Result<Self> {
        std::fs::create_dir_all(&options.root)
            .with_context(|| format!("cannot create {}", options.root.display()))?;
        progress.step("starting kube-sim");
        let kube = kube_sim::KubeSim::start(kube_sim::Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, options.kube_port)),
            ..kube_sim::Config::default()
        })
        .await
        .context("kube-sim cannot start")?;

        progress.step("starting mock-sls");
        // Its console shows the cluster, which is why that is there before.
        let mut console = options.console_port.map(|port| ConsoleSettings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            cluster: Some(kube.url()),
            ..ConsoleSettings::default()
        });
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, options.sls_port));
        let sls = start_sls(&options, listen, console.clone()).await?;
        let sls_address = sls.addr();
        if let (Some(console), Some(address)) = (&mut console, sls.console_addr()) {
            console.listen = address;
        }
        let sls = if options.without_sls {
            sls.shutdown().await;
            None
        } else {
            Some(sls)
        };

        let kubeconfig = options.root.join("kubeconfig");
        kube.write_kubeconfig(&kubeconfig).context("cannot write the kubeconfig")?;
        let client = connect(&kubeconfig).await?;
        install_crd(&client).await?;

        progress.step("starting the pod runner");
        let pods = PodRunner::start(
            client.clone(),
            RunnerConfig {
                images: image::table(&image::Service {
                    authority: sls_address.to_string(),
                    access_key_id: mock_sls::DEFAULT_ACCESS_KEY_ID.to_owned(),
                    access_key_secret: mock_sls::DEFAULT_ACCESS_KEY_SECRET.to_owned(),
                }),
                node_name: NODE_NAME.to_owned(),
                node_ip: NODE_IP.to_owned(),
                isolation: options.isolation,
                shutdown_grace: POD_GRACE,
                ..RunnerConfig::new(options.root.join("pods"), &options.component_exe)
            },
        )
        .await
        .context("the pod runner cannot start")?;
        kube.set_pod_logs(pods.pod_logs());
        let isolation = pods.isolation();
        match &isolation.shortcoming {
            None => progress.done(format!("containers are isolated by {}", isolation.mode.name())),
            Some(why) => progress.done(format!(
                "containers are not isolated; their files lie below a path prefix of the bed's folder: {why}"
            )),
        }

        progress.step("starting the operator");
        let webhook = free_address()?;
        install_webhook(&client, &kube, webhook).await?;
        let operator = start_operator(&options, &kubeconfig, sls_address, webhook)?;
        let (sls, operator) = (Mutex::new(sls), Mutex::new(operator));
        Ok(Self { options, sls_address, console, sls, kube, pods, operator, webhook, client })
    }

    /// What a scenario needs to work in `namespace` with the document's names.
    ///
    /// # Errors
    /// The client's settings are refused (they are not, unless the bed is wrong).
    pub fn context(&self, namespace: &str, progress: &Progress) -> Result<Context> {
        self.named_context(namespace, Names::document(), progress)
    }

    fn named_context(&self, namespace: &str, names: Names, progress: &Progress) -> Result<Context> {
        Ok(Context {
            kube: self.client.clone(),
            sls: Sls::connect(&self.sls_endpoint(), &names.project)?,
            namespace: namespace.to_owned(),
            names,
            progress: progress.clone(),
            limit: LIMIT,
            images_loaded: false,
            probe_seconds: Some(PROBE_SECONDS),
            outage: None,
        })
    }

    /// `http://127.0.0.1:PORT` of the emulator.
    pub fn sls_endpoint(&self) -> String {
        format!("http://{}", self.sls_address)
    }

    /// What to open in a browser for the emulator's console, if there is one.
    pub fn console_url(&self) -> Option<String> {
        self.console.as_ref().map(|console| format!("http://{}/", console.listen))
    }

    /// File that `kubectl --kubeconfig` takes.
    pub fn kubeconfig(&self) -> PathBuf {
        self.options.root.join("kubeconfig")
    }

    /// Takes the Log Service away, as an outage does: connections are cut, the data stays.
    pub async fn stop_sls(&self) {
        if let Some(sls) = self.sls.lock().await.take() {
            sls.shutdown().await;
        }
    }

    /// Brings the Log Service back at the same address with the same data.
    ///
    /// # Errors
    /// The port was taken meanwhile, or the data cannot be opened.
    pub async fn start_sls(&self) -> Result<()> {
        let mut sls = self.sls.lock().await;
        if sls.is_none() {
            *sls = Some(start_sls(&self.options, self.sls_address, self.console.clone()).await?);
        }
        Ok(())
    }

    /// Kills the operator and starts it again.
    ///
    /// # Errors
    /// The process cannot be started.
    pub async fn restart_operator(&self) -> Result<()> {
        let mut operator = self.operator.lock().await;
        operator.kill().await.context("cannot kill the operator")?;
        *operator = start_operator(&self.options, &self.kubeconfig(), self.sls_address, self.webhook)?;
        Ok(())
    }

    /// Writes what Kubernetes knows (configs, pods, events) beside the logs and the database.
    pub async fn write_evidence(&self) {
        for (file, text) in kubernetes::dump(&self.client).await {
            let path = self.options.root.join(file);
            if let Err(error) = std::fs::write(&path, text) {
                tracing::warn!("cannot write {}: {error}", path.display());
            }
        }
    }

    /// Ends everything in order: operator, pods (with their grace), API server, emulator last,
    /// so that what the collectors still hold is delivered.
    pub async fn shutdown(mut self) {
        end(self.operator.get_mut()).await;
        self.pods.shutdown().await;
        self.kube.shutdown().await;
        if let Some(sls) = self.sls.get_mut().take() {
            sls.shutdown().await;
        }
    }

    /// Process id of a container's first process.
    fn process(&self, place: &Place) -> Result<i32> {
        let pid = self.pods.process(&place.id);
        pid.with_context(|| format!("container {} of pod {} does not run", place.container, place.pod))
    }
}

impl Bed for Embedded {
    fn offers(&self, need: Need) -> Result<(), String> {
        match need {
            Need::Memory if !cfg!(target_os = "linux") => Err("this system has no /proc".to_owned()),
            Need::Kill | Need::Memory => Ok(()),
            Need::Cut => {
                Err("its pods have no network of their own: they share the host's loopback".to_owned())
            }
            Need::Roles => Err("its kube-sim lets everybody do everything".to_owned()),
            Need::Policies => Err("kube-sim evaluates no admission policies".to_owned()),
        }
    }

    async fn open(&self, scenario: &str, names: Names, progress: &Progress) -> Result<Context> {
        let namespace = format!("e2e-{scenario}");
        kubernetes::create_namespace(&self.client, &namespace).await?;
        self.named_context(&namespace, names, progress)
    }

    /// What is left of a scenario costs nothing here, and goes with the bed.
    async fn close(&self, _ctx: &Context) -> Result<()> {
        Ok(())
    }

    async fn stop_sls(&self) -> Result<()> {
        Self::stop_sls(self).await;
        Ok(())
    }

    async fn start_sls(&self) -> Result<()> {
        Self::start_sls(self).await
    }

    async fn restart_operator(&self) -> Result<()> {
        Self::restart_operator(self).await
    }

    async fn operator_log(&self) -> Result<String> {
        let path = self.options.root.join(OPERATOR_LOG);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    async fn kill(&self, place: &Place) -> Result<()> {
        let pid = rustix::process::Pid::from_raw(self.process(place)?).context("a process has number 0")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
            .with_context(|| format!("cannot kill container {} of pod {}", place.container, place.pod))
    }

    async fn cut(&self, _pod: &Pod) -> Result<()> {
        bail!("the embedded bed cannot cut the network of a pod")
    }

    async fn mend(&self) -> Result<()> {
        Ok(())
    }

    /// All programs are one executable here, mostly without optimisation, and the pod runner limits nothing.
    fn runs_shipped_containers(&self) -> bool {
        false
    }

    async fn memory(&self, place: &Place) -> Result<Memory> {
        let directory = PathBuf::from(format!("/proc/{}", self.process(place)?));
        let read = |file: &str| {
            let path = directory.join(file);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Memory::parse(&(read("smaps_rollup")? + &read("status")?))
    }

    /// It needs no kubectl; `just e2e-kubectl` runs one against it.
    async fn kubectl(&self, _args: &[&str]) -> Result<Option<String>> {
        Ok(None)
    }

    async fn write_evidence(&self) {
        Self::write_evidence(self).await;
    }

    async fn shutdown(self) -> Result<()> {
        Self::shutdown(self).await;
        Ok(())
    }
}

async fn start_sls(
    options: &Options,
    listen: SocketAddr,
    console: Option<ConsoleSettings>,
) -> Result<mock_sls::Running> {
    let config = Config {
        listen,
        console,
        data: Data::Dir(options.root.join("mock-sls")),
        region: REGION.to_owned(),
        ..Config::default()
    };
    MockSls::start(config).await.with_context(|| format!("mock-sls cannot start on {listen}"))
}

async fn connect(kubeconfig: &Path) -> Result<Client> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await?;
    Client::try_from(config).context("no client for kube-sim")
}

async fn install_crd(client: &Client) -> Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = operator::crd::crd();
    crds.patch(&crd.name_any(), &PatchParams::apply("sls-bed").force(), &Patch::Apply(&crd))
        .await
        .context("cannot install the operator's CRD")?;
    eventually("the operator's CRD to be served", LIMIT, async || {
        let seen = crds.get(&crd.name_any()).await?;
        let conditions = seen.status.and_then(|s| s.conditions).unwrap_or_default();
        Ok(match conditions.iter().any(|c| c.type_ == "Established" && c.status == "True") {
            true => Look::Done(()),
            false => Look::Waiting(format!("{conditions:?}")),
        })
    })
    .await
}

/// An address of loopback that nobody uses now.
fn free_address() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    listener.local_addr().context("a listener has an address")
}

/// The configurations of deploy/kustomize, and where their Service leads here.
async fn install_webhook(client: &Client, kube: &kube_sim::Running, address: SocketAddr) -> Result<()> {
    kubernetes::create_namespace(client, OPERATOR_NAMESPACE).await?;
    kube.route_service(OPERATOR_NAMESPACE, configurations::SERVICE, address);
    let place = configurations::Place::Service { namespace: OPERATOR_NAMESPACE.to_owned() };
    let [mutating, validating] =
        configurations::configurations(&place, FailurePolicy::Ignore, OPERATOR_NAMESPACE);
    let params = PatchParams::apply("sls-bed").force();
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    api.patch(configurations::NAME, &params, &Patch::Apply(mutating)).await?;
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    api.patch(configurations::NAME, &params, &Patch::Apply(validating)).await?;
    Ok(())
}

fn start_operator(
    options: &Options,
    kubeconfig: &Path,
    sls: SocketAddr,
    webhook: SocketAddr,
) -> Result<Child> {
    let credentials = options.root.join("operator-credentials.json");
    let text = serde_json::json!({
        "accessKeyId": mock_sls::DEFAULT_ACCESS_KEY_ID,
        "accessKeySecret": mock_sls::DEFAULT_ACCESS_KEY_SECRET,
    });
    std::fs::write(&credentials, text.to_string()).context("cannot write the operator's credentials")?;
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(options.root.join(OPERATOR_LOG))
        .context("cannot open operator.log")?;
    let probe_port = SIDECAR_PORTS + u16::try_from(std::process::id() % u32::from(SIDECAR_PORTS))?;
    Command::new(&options.component_exe)
        .arg0(name::OPERATOR)
        .arg("run")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["--sls-endpoint", &format!("http://{sls}"), "--region", REGION])
        .arg("--credentials-file")
        .arg(&credentials)
        .args(["--listen", "127.0.0.1:0", "--webhook-listen", &webhook.to_string()])
        .args(["--operator-namespace", OPERATOR_NAMESPACE, "--sidecar-image", image::SIDECAR_IMAGE])
        .args(["--sidecar-probe-port", &probe_port.to_string()])
        .env(component::PARENT_ENV, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share operator.log")?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("the operator cannot start")
}

/// Asks the process to end, waits, then ends it.
async fn end(child: &mut Child) {
    if let Some(pid) =
        child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended by itself; then there is nobody to ask.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(OPERATOR_GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
