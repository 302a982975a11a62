//! `operator inject`: files → the same with the collector beside the containers, or without it again.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::Value;
use sls_api::names::MachineGroupName;

use super::files::{self, FileError, ObjectForm, kind_of, objects_mut, print_objects};
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::crd::AliyunLogConfig;
use crate::inject::{self, Form, Profile, Workload};

/// Image of the collector, as `just images` names it.
pub(super) const IMAGE_DEFAULT: &str = "sls-bed/collector:dev";
/// Port of the collector's probes. Source: the vendor's image.
pub(super) const PROBE_PORT_DEFAULT: u16 = 7953;
/// Region of the agent's configuration in the image. Source: the vendor's document.
pub(super) const CONFIG_REGION_DEFAULT: &str = "cn-hangzhou";

#[derive(clap::Args)]
pub(super) struct Args {
    /// YAML or JSON file with workloads, and AliyunLogConfigs if they are there too; - for stdin; may be given
    /// several times. All objects are printed, others as they are
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    /// File with AliyunLogConfigs that are only read; may be given several times
    #[arg(short, long = "configs", value_name = "FILE", conflicts_with = "uninject")]
    configs: Vec<PathBuf>,

    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// Take the sidecar away that this command has added
    #[arg(long)]
    uninject: bool,

    /// How the sidecar lives: native, an init container that restarts always, for Kubernetes 1.29 and newer;
    /// plain, a container beside the others
    #[arg(long, value_enum, default_value_t = FormArg::Native)]
    form: FormArg,

    #[command(flatten)]
    profile: ProfileArgs,

    /// Form of the objects on stdout
    #[arg(short, long, value_enum, default_value_t = ObjectForm::Yaml)]
    output: ObjectForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormArg {
    Native,
    Plain,
}

impl FormArg {
    /// Name of the profile, which stands in what is made by it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Plain => "plain",
        }
    }
}

impl From<FormArg> for Form {
    fn from(form: FormArg) -> Self {
        match form {
            FormArg::Native => Self::Native,
            FormArg::Plain => Self::Plain,
        }
    }
}

/// Path of the agent's configuration in the image. Source: the vendor's document.
pub(super) fn config_path(region: &str) -> String {
    format!("/etc/ilogtail/conf/{region}/ilogtail_config.json")
}

/// What sidecars are like; also used by `operator policy`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ProfileArgs {
    /// Image of the sidecar
    #[arg(long, value_name = "IMAGE", default_value = IMAGE_DEFAULT, env = "SLS_SIDECAR_IMAGE")]
    image: String,

    /// Region, as in the path of the agent's configuration: cn-hangzhou, cn-hangzhou-internet …
    #[arg(long, value_name = "REGION", default_value = CONFIG_REGION_DEFAULT, env = "ALICLOUD_LOG_REGION")]
    region: String,

    /// Account to which the logs belong
    #[arg(long, value_name = "ID", env = "ALICLOUD_LOG_ACCOUNT_ID")]
    account_id: Option<String>,

    /// Machine group of AliyunLogConfigs that list none
    #[arg(long, value_name = "GROUP", env = "ALICLOUD_LOG_MACHINE_GROUP")]
    default_machine_group: Option<MachineGroupName>,

    /// Port of the sidecar's probes; it is one of the pod's
    #[arg(long, value_name = "PORT", default_value_t = PROBE_PORT_DEFAULT)]
    probe_port: u16,

    /// How long a native sidecar may keep the application waiting for its first config; then that begins without
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    startup_timeout: u32,
}

impl ProfileArgs {
    /// The profile of this name.
    pub(super) fn profile(&self, name: &str, form: Form) -> Profile {
        Profile {
            name: name.to_owned(),
            image: self.image.clone(),
            config_path: config_path(&self.region),
            account_id: self.account_id.clone(),
            machine_group: self.default_machine_group.clone(),
            form,
            probe_port: self.probe_port,
            startup_seconds: self.startup_timeout,
        }
    }
}

pub(super) fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(done) => {
            for line in &done.told {
                let _ = writeln!(io::stderr(), "{line}");
            }
            // Whoever pipes this into kubectl must not get half of it.
            if done.refused > 0 {
                return ExitCode::from(EXIT_FAILED);
            }
            match print_objects(&done.documents, args.output) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(EXIT_USAGE, &error),
            }
        }
        Err(error) => failed(EXIT_USAGE, &error),
    }
}

/// What came of the files.
#[derive(Debug, Default)]
struct Done {
    documents: Vec<Value>,
    /// A line for each workload, and for what deserves a look.
    told: Vec<String>,
    /// Workloads that should have got a sidecar, and cannot.
    refused: usize,
}

fn run(args: &Args) -> Result<Done, FileError> {
    let mut done = Done::default();
    for path in &args.filename {
        done.documents.extend(files::documents(path)?);
    }
    let mut others = Vec::new();
    for path in &args.configs {
        others.extend(files::documents(path)?);
    }
    let mut configs = Vec::new();
    for document in done.documents.iter().chain(&others).flat_map(objects) {
        if kind_of(document) != Some("AliyunLogConfig") {
            continue;
        }
        match read_config(document, args.namespace.as_deref()) {
            Ok(config) => configs.push(config),
            Err(error) if !args.uninject => {
                done.refused += 1;
                done.told.push(format!("{error}; `operator validate` says more"));
            }
            Err(_) => {}
        }
    }
    let profile = args.profile.profile(args.form.name(), args.form.into());
    let mut workloads = 0;
    let Done { documents, told, refused } = &mut done;
    for object in documents.iter_mut().flat_map(objects_mut) {
        let Some(mut workload) = Workload::of(object, args.namespace.as_deref()) else { continue };
        workloads += 1;
        let name = workload.to_string();
        if args.uninject {
            let was_there = inject::remove(&mut workload);
            told.push(format!(
                "{name}: {}",
                if was_there { "sidecar removed" } else { "has no sidecar of ours" }
            ));
            continue;
        }
        match inject::inject(&mut workload, &configs, &profile) {
            Ok(injected) => {
                told.push(format!(
                    "{name}: sidecar added for machine group {}; {} of {}",
                    injected.machine_group,
                    injected.directories.join(", "),
                    injected.configs.join(", ")
                ));
                told.extend(injected.warnings.iter().map(|warning| format!("{name}: warning: {warning}")));
            }
            Err(skip) => {
                *refused += usize::from(!skip.is_wanted());
                told.push(format!("{name}: not changed ({}): {skip}", skip.reason()));
            }
        }
    }
    if workloads == 0 {
        done.refused += 1;
        done.told.push(
            "no workload found: give files with Pods, Deployments, Jobs or others that make pods".to_owned(),
        );
    }
    Ok(done)
}

/// AliyunLogConfigs in files; those that name no namespace are of this one. What is none of them is told.
pub(super) fn read_configs(
    paths: &[PathBuf],
    namespace: &str,
) -> Result<Result<Vec<AliyunLogConfig>, String>, FileError> {
    let mut documents = Vec::new();
    for path in paths {
        documents.extend(files::documents(path)?);
    }
    let objects = documents.iter().flat_map(objects);
    let configs = objects.filter(|one| kind_of(one) == Some("AliyunLogConfig"));
    Ok(configs.map(|one| read_config(one, Some(namespace))).collect())
}

/// The objects of a document, which may be a list of them.
fn objects(document: &Value) -> Vec<&Value> {
    match document.get("items").and_then(Value::as_array) {
        Some(items) if kind_of(document).is_some_and(|kind| kind.ends_with("List")) => items.iter().collect(),
        _ => vec![document],
    }
}

fn read_config(document: &Value, namespace: Option<&str>) -> Result<AliyunLogConfig, String> {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let mut config: AliyunLogConfig = serde_json::from_value(document.clone())
        .map_err(|error| format!("AliyunLogConfig {name} is not one: {error}"))?;
    if config.metadata.namespace.is_none() {
        config.metadata.namespace = namespace.map(str::to_owned);
    }
    Ok(config)
}
