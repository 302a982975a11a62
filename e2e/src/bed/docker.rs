//! The Docker bed, for machines without Kubernetes: emulator, writer and collector are containers of
//! one network that share volumes. Nobody applies objects here: what the example's AliyunLogConfigs ask
//! for is made in the service by the operator's own code, and what its Job says becomes containers
//! (`pod`).
//!
//! It is no [`super::Bed`], since a bed there has a Kubernetes API: of the example it runs what needs
//! none, the writer and its sidecar. Called by `program` for `--bed docker`. Needs the images of
//! `just images`.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use fixtures::repaired;
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DynamicObject;
use operator::crd::AliyunLogConfig;
use operator::credentials::{Credentials, Source as CredentialsSource};
use operator::sls::SlsConfig;
use operator::validate::Defaults;
use sls_expect::client::{Call, Emulator};
use testcontainers_mock_sls::testcontainers::bollard::models::{
    NetworkCreateRequest, PortBinding, VolumeCreateRequest,
};
use testcontainers_mock_sls::testcontainers::bollard::query_parameters::InspectNetworkOptions;
use testcontainers_mock_sls::testcontainers::core::{
    CmdWaitFor, ExecCommand, Image, IntoContainerPort, Mount,
};
use testcontainers_mock_sls::testcontainers::runners::AsyncRunner;
use testcontainers_mock_sls::testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use testcontainers_mock_sls::{self as mock, MockSls};

use crate::bed::REGION;
use crate::bed::image::{MOCK_SLS_IMAGE, Service, instance_config, stand_in};
use crate::eventually::{Look, eventually};
use crate::example::Plan;
use crate::manifest::{self, SIDECAR, Tuning, WRITER};
use crate::outage;
use crate::progress::Progress;
use crate::report::{Check, Report};
use crate::scenario::sidecar_job::heartbeat_check;
use crate::scenario::verify::{self, Source};
use crate::scenario::{MACHINE_GROUP, PROJECT, run_id};
use crate::sls::Sls;

pub mod engine;
mod evidence;
pub mod made;
pub mod pod;

use engine::Engine;
pub use made::Made;
use made::Thing;
use pod::Identity;

/// Label of everything that the bed makes; its value is the run's name.
const LABEL: &str = "sls-bed.run";
/// Snapshot of the emulator that is kept after a failure.
const EVIDENCE: &str = "evidence";
/// Longest wait for one thing to become true, beyond the time that lines are written and that the
/// service is away.
const LIMIT: Duration = Duration::from_secs(120);
/// Seconds that the emulator gets to end. It closes its database in well under one.
const SLS_GRACE_SECONDS: i32 = 10;
/// Seconds that the sidecar gets to deliver what is left, beyond an outage: as a pod by default.
const SIDECAR_GRACE_SECONDS: u64 = 30;

/// How to start the bed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the emulator on this machine; 0 takes a free one.
    pub sls_port: u16,
    /// Folder for what explains a failure.
    pub root: PathBuf,
    /// Leave the containers as they are at the end.
    pub keep: bool,
}

/// Runs the example on a new bed. The report is judged. `made` knows what was made, also when this is
/// dropped half-way, and what is kept.
pub async fn run(options: &Options, made: &Made, plan: &Plan, progress: &Progress) -> Report {
    let mut report = Report::default();
    let outcome = example(options, made, plan, progress, &mut report).await;
    if let Err(error) = outcome {
        report.errors.push(format!("{error:#}"));
    }
    progress.step("ending the bed");
    if !options.keep
        && let Err(error) = made.undo().await
    {
        report.errors.push(format!("{error:#}"));
    }
    report.seconds = progress.seconds();
    report.judge();
    if !report.ok {
        report.evidence = Some(options.root.clone());
    }
    progress.finish();
    report
}

async fn example(
    options: &Options,
    made: &Made,
    plan: &Plan,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    let outcome = async {
        let bed = Docker::start(options, made, progress).await?;
        if options.keep {
            progress.done(format!("query it with: cargo e2e query --endpoint {}", bed.sls.endpoint()));
        }
        let outcome = bed.sidecar_job(plan, progress, report).await;
        report.judge();
        if outcome.is_err() || !report.ok {
            bed.copy_database(&options.root).await;
        }
        outcome
    }
    .await;
    report.judge();
    if outcome.is_err() || !report.ok {
        evidence::write_logs(made, &options.root).await;
    }
    outcome
}

/// A started bed: the emulator runs and holds the configs, the pod's network waits for its containers.
struct Docker {
    made: Made,
    run: String,
    /// Docker's names of the pod's volumes.
    volumes: BTreeMap<String, String>,
    identity: Identity,
    /// Not dropped: testcontainers would remove the container then, also when it is to be kept.
    sls: ManuallyDrop<mock::Running>,
    job: DynamicObject,
}

impl Docker {
    /// Checks what is needed, then starts the emulator, makes what the configs ask for, and a pod's
    /// network and volumes.
    async fn start(options: &Options, made: &Made, progress: &Progress) -> Result<Self> {
        progress.step("checking Docker and the images");
        let engine = Engine::connect().await?;
        engine.must_have([MOCK_SLS_IMAGE, stand_in(SIDECAR)?, stand_in(WRITER)?]).await?;
        let port = engine.free_port(options.sls_port)?;
        let job = crate::kubernetes::parse(repaired::SIDECAR_JOB)?;

        let run = format!("sls-bed-{:08x}", fastrand::u32(..));
        progress.step(format!("starting the emulator ({run})"));
        let node_ip = make_network(&engine, made, &run).await?;
        let mut volumes = BTreeMap::new();
        for name in pod::volumes(&job)? {
            let volume = format!("{run}-{name}");
            make_volume(&engine, made, &run, &volume).await?;
            volumes.insert(name, volume);
        }
        let sls = start_sls(&engine, made, &run, port).await?;
        progress.done(format!("emulator at {}", sls.endpoint()));

        for text in [repaired::CRD_ACCESS, repaired::CRD_ERROR] {
            let object: AliyunLogConfig = serde_saphyr::from_str(text).context("a config of the example")?;
            let steps = operator::once::make(&object, &Defaults::default(), sls_config(&sls)).await?;
            progress.done(format!("{}: {}", object.name_any(), steps.join(", ")));
        }

        let name = format!("{}-{:05x}", job.name_any(), fastrand::u32(..1 << 20));
        let sandbox =
            pod::sandbox(split(stand_in(SIDECAR)?), &volumes).with_network(&run).with_hostname(&name);
        let sandbox = start_container(made, &run, &sandbox_name(&run), sandbox).await?;
        let ip = sandbox.get_bridge_ip_address().await?.to_string();
        let identity = Identity { name, namespace: run.clone(), ip, node: engine.name.clone(), node_ip };
        Ok(Self { made: made.clone(), run, volumes, identity, sls, job })
    }

    /// The document's Job: a writer and its sidecar share `/var/log/nginx`; every line arrives.
    async fn sidecar_job(&self, plan: &Plan, progress: &Progress, report: &mut Report) -> Result<()> {
        let load = plan.load;
        let id = run_id("docker");
        let mut job = self.job.clone();
        let tuning = Tuning {
            run: Some(id.clone()),
            total_count: Some(load.lines),
            logs_per_sec: load.per_second,
            // Nobody runs the probe here but the bed, once.
            probe_seconds: None,
            outage: plan.outage,
        };
        manifest::tune(&mut job, &tuning)?;
        let pod = pod::pod(&job, &self.identity)?;
        let writing = Duration::from_secs(load.lines / u64::from(load.per_second.max(1)));
        let limit = LIMIT + writing + plan.outage.unwrap_or_default();

        let sidecar = self.start_of_pod(&pod, SIDECAR, |r| self.with_instance_config(&pod, r)).await?;
        let writer = self.start_of_pod(&pod, WRITER, Ok).await?;
        progress.step(format!(
            "{} writes {} access and {} error lines",
            self.identity.name, load.lines, load.lines
        ));
        let (written, outage) = tokio::join!(ended(&writer, limit), self.outage(plan.outage, &writer));
        let code = written?;
        report.checks.extend(outage?);
        report.checks.push(Check::new("the writer ends with exit code 0", code == 0, code.to_string()));
        let log = text(&writer).await?;
        let source = Source::new(&pod, &log)?;

        let sls = Sls::connect(self.sls.endpoint(), PROJECT)?.patient(limit);
        report.merge(verify::lines_in(&sls, progress, limit, &id, &[source], 0).await?);
        report.checks.push(heartbeat_check(&sls, MACHINE_GROUP, &self.identity.ip, limit).await);
        report.checks.push(liveness_check(&pod, &sidecar).await);
        let grace = SIDECAR_GRACE_SECONDS + plan.outage.unwrap_or_default().as_secs();
        sidecar.stop_with_timeout(Some(i32::try_from(grace)?)).await?;
        let code = ended(&sidecar, LIMIT).await?;
        report.checks.push(Check::new(
            "the sidecar, told to stop, delivers what is left and ends with exit code 0",
            code == 0,
            code.to_string(),
        ));
        progress.done(format!("{} + {} lines checked", load.lines, load.lines));
        Ok(())
    }

    /// Starts a container of the pod as the manifest says, with what `change` adds.
    async fn start_of_pod(
        &self,
        pod: &Pod,
        name: &str,
        change: impl FnOnce(ContainerRequest<GenericImage>) -> Result<ContainerRequest<GenericImage>>,
    ) -> Result<ManuallyDrop<ContainerAsync<GenericImage>>> {
        // Not `with_network`: testcontainers would make a network of that name.
        let network = format!("container:{}", sandbox_name(&self.run));
        let request = pod::request(pod, name, split(stand_in(name)?), &self.volumes)?
            .with_host_config_modifier(move |host| {
                host.network_mode = Some(network.clone());
                host.publish_all_ports = Some(false);
            });
        start_container(&self.made, &self.run, &format!("{}-{name}", self.run), change(request)?).await
    }

    /// The sidecar finds its instance config where the manifest says, as in the vendor's image, and the
    /// config leads to this run's emulator, wherever the one in the image leads.
    fn with_instance_config(
        &self,
        pod: &Pod,
        request: ContainerRequest<GenericImage>,
    ) -> Result<ContainerRequest<GenericImage>> {
        let service = Service {
            authority: format!("{}:{}", sls_name(&self.run), mock::PORT),
            access_key_id: self.sls.access_key_id().to_owned(),
            access_key_secret: self.sls.access_key_secret().to_owned(),
        };
        let path = pod::variable(pod, SIDECAR, "ALIYUN_LOGTAIL_CONFIG")?;
        Ok(request.with_copy_to(path, instance_config(&service).to_string().into_bytes()))
    }

    /// Takes the Log Service away for a while, if the plan says so. Its volume and its port stay.
    async fn outage<I: Image>(
        &self,
        length: Option<Duration>,
        writer: &ContainerAsync<I>,
    ) -> Result<Option<Check>> {
        let Some(length) = length else { return Ok(None) };
        tokio::time::sleep(outage::BEFORE).await;
        let container = self.sls.container();
        container.stop_with_timeout(Some(SLS_GRACE_SECONDS)).await?;
        let writers = usize::from(writer.exit_code().await?.is_none());
        tokio::time::sleep(length).await;
        container.start().await.context("the emulator does not come back")?;
        Ok(Some(outage::check(length, writers)))
    }

    /// Has the emulator make a snapshot, which is one file with everything, and copies that.
    async fn copy_database(&self, root: &Path) {
        let copied = async {
            let emulator: Emulator = self.sls.endpoint().parse().map_err(anyhow::Error::msg)?;
            let query = format!("name={EVIDENCE}");
            emulator.call(Call { query, ..Call::new(Method::POST, "snapshot") }).await?;
            let file = format!("{}/snapshots/{EVIDENCE}.sqlite", mock::DATA);
            let copy = self.sls.container().copy_file_from(file, root.join(mock_sls::DATABASE_FILE));
            anyhow::Ok(copy.await?)
        };
        if let Err(error) = copied.await {
            tracing::warn!("the emulator's database cannot be copied: {error}");
        }
    }
}

fn split(image: &str) -> (&str, &str) {
    image.rsplit_once(':').unwrap_or((image, "latest"))
}

fn sls_name(run: &str) -> String {
    format!("{run}-mock-sls")
}

fn sandbox_name(run: &str) -> String {
    format!("{run}-pod")
}

/// The run's network; returns the address of the engine's machine in it.
async fn make_network(engine: &Engine, made: &Made, run: &str) -> Result<String> {
    let docker = engine.docker.clone();
    let request = NetworkCreateRequest {
        name: run.to_owned(),
        labels: Some([(LABEL.to_owned(), run.to_owned())].into()),
        ..NetworkCreateRequest::default()
    };
    let create = async move { docker.create_network(request).await.map_err(Into::into) };
    made.make(Thing::Network(run.to_owned()), create).await?;
    let network = engine.docker.inspect_network(run, None::<InspectNetworkOptions>).await?;
    let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    configs.into_iter().find_map(|c| c.gateway).context("Docker gave the network no gateway")
}

async fn make_volume(engine: &Engine, made: &Made, run: &str, name: &str) -> Result<()> {
    let docker = engine.docker.clone();
    let request = VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some([(LABEL.to_owned(), run.to_owned())].into()),
        ..VolumeCreateRequest::default()
    };
    let create = async move { docker.create_volume(request).await.map_err(Into::into) };
    made.make(Thing::Volume(name.to_owned()), create).await?;
    Ok(())
}

/// The emulator with a volume for its database, at one port for as long as the bed stands: Docker gives
/// a container that is started again another one otherwise.
async fn start_sls(
    engine: &Engine,
    made: &Made,
    run: &str,
    port: u16,
) -> Result<ManuallyDrop<mock::Running>> {
    let volume = format!("{run}-data");
    make_volume(engine, made, run, &volume).await?;
    let address = engine.publish_on().to_string();
    let request = MockSls::default()
        .with_network(run)
        .with_container_name(sls_name(run))
        .with_label(LABEL, run)
        .with_mount(Mount::volume_mount(volume, mock::DATA))
        .with_host_config_modifier(move |host| {
            let binding = PortBinding { host_ip: Some(address.clone()), host_port: Some(port.to_string()) };
            host.publish_all_ports = Some(false);
            host.port_bindings = Some([(mock::PORT.tcp().to_string(), Some(vec![binding]))].into());
        });
    let start = async move { Ok(ManuallyDrop::new(mock::start(request).await?)) };
    made.make(Thing::Container(sls_name(run)), start).await
}

async fn start_container(
    made: &Made,
    run: &str,
    name: &str,
    request: ContainerRequest<GenericImage>,
) -> Result<ManuallyDrop<ContainerAsync<GenericImage>>> {
    let request = request.with_container_name(name).with_label(LABEL, run);
    let start = async move { Ok(ManuallyDrop::new(request.start().await?)) };
    made.make(Thing::Container(name.to_owned()), start).await
}

/// How the operator's code reaches the emulator.
fn sls_config(sls: &mock::Running) -> SlsConfig {
    SlsConfig {
        endpoint: sls.endpoint().to_owned(),
        region: Some(REGION.to_owned()),
        credentials: CredentialsSource::Fixed(Credentials {
            access_key_id: sls.access_key_id().to_owned(),
            access_key_secret: sls.access_key_secret().into(),
            security_token: None,
        }),
        authorities: None,
    }
}

/// Waits for the container's end and returns its exit code.
async fn ended<I: Image>(container: &ContainerAsync<I>, limit: Duration) -> Result<i64> {
    eventually("the container to end", limit, async || {
        Ok(match container.exit_code().await? {
            Some(code) => Look::Done(code),
            None => Look::Waiting("it runs".into()),
        })
    })
    .await
}

/// What the container wrote, standard error after standard output.
async fn text<I: Image>(container: &ContainerAsync<I>) -> Result<String> {
    let mut log = container.stdout_to_vec().await?;
    log.extend(container.stderr_to_vec().await?);
    Ok(String::from_utf8_lossy(&log).into_owned())
}

/// The document's liveness probe, asked once after all lines have arrived.
async fn liveness_check(pod: &Pod, sidecar: &ContainerAsync<GenericImage>) -> Check {
    let code = async {
        let command = ExecCommand::new(pod::liveness_command(pod, SIDECAR)?)
            .with_cmd_ready_condition(CmdWaitFor::exit());
        let code = sidecar.exec(command).await?.exit_code().await?;
        code.ok_or_else(|| anyhow!("the command did not end"))
    };
    let title = "the sidecar's liveness probe passes";
    match code.await {
        Ok(code) => Check::new(title, code == 0, format!("exit code {code}")),
        Err(error) => Check::new(title, false, format!("{error:#}")),
    }
}
