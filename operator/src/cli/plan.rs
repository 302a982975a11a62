//! `operator plan`: objects in files → what would be changed in Log Service.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::files::{self, FileError, ReportForm, kind_of, print_report};
use super::run::{DefaultsArgs, SlsArgs};
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use crate::credentials::{Accounts, CredentialsError};
use crate::kind::ConfigKind;
use crate::once;
use crate::sls::SlsConfig;
use crate::validate::Defaults;

/// Exit code when something would be changed, if asked for.
const EXIT_CHANGES: u8 = 3;

#[derive(clap::Args)]
pub(super) struct Args {
    /// YAML or JSON file with one or more objects, - for stdin; may be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    #[command(flatten)]
    sls: SlsArgs,

    #[command(flatten)]
    defaults: DefaultsArgs,

    /// End with exit code 3 if something would be changed
    #[arg(long)]
    exit_code: bool,

    /// Form of the result on stdout
    #[arg(short, long, value_enum, default_value_t = ReportForm::Text)]
    output: ReportForm,
}

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
}

/// The result, as printed with `-o json`.
#[derive(Debug, Serialize)]
struct Plan {
    /// Every object could be looked at.
    ok: bool,
    objects: Vec<Planned>,
}

#[derive(Debug, Serialize)]
struct Planned {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    /// In order; none if Log Service has what the object asks for.
    steps: Vec<String>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) fn main(args: Args) -> ExitCode {
    let (output, exit_code) = (args.output, args.exit_code);
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(error @ PlanError::Runtime(_)) => return failed(EXIT_FAILED, &error),
        Err(error) => return failed(EXIT_USAGE, &error),
    };
    if let Err(error) = print_report(&plan, output, text) {
        return failed(EXIT_USAGE, &error);
    }
    match plan {
        Plan { ok: false, .. } => ExitCode::from(EXIT_FAILED),
        Plan { objects, .. } if exit_code && objects.iter().any(|one| !one.steps.is_empty()) => {
            ExitCode::from(EXIT_CHANGES)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn plan(args: Args) -> Result<Plan, PlanError> {
    let accounts = args.defaults.accounts();
    let defaults = Defaults::from(args.defaults);
    let config = args.sls.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(PlanError::Runtime)?;
    let mut objects = Vec::new();
    for path in &args.filename {
        for document in files::documents(path)? {
            let wanted = (&defaults, config.clone(), accounts.clone());
            let planned = match kind_of(&document) {
                Some(AliyunLogConfig::KIND) => runtime.block_on(look::<AliyunLogConfig>(&document, wanted)),
                Some(ClusterAliyunPipelineConfig::KIND) => {
                    runtime.block_on(look::<ClusterAliyunPipelineConfig>(&document, wanted))
                }
                _ => continue,
            };
            objects.push(Planned { file: path.display().to_string(), ..planned });
        }
    }
    Ok(Plan { ok: objects.iter().all(|object| object.error.is_none()), objects })
}

async fn look<K: ConfigKind>(
    document: &Value,
    (defaults, config, accounts): (&Defaults, SlsConfig, Accounts),
) -> Planned {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let steps = match serde_json::from_value::<K>(document.clone()) {
        Ok(cr) => once::preview(&cr, defaults, config, accounts).await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("it is no {}: {error}; `operator validate` says more", K::KIND)),
    };
    let (steps, error) = match steps {
        Ok(steps) => (steps, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Planned {
        file: String::new(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
        steps,
        error,
    }
}

fn text(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for object in &plan.objects {
        let namespace = object.namespace.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
        let verdict = match (&object.error, object.steps.len()) {
            (Some(error), _) => error.clone(),
            (None, 0) => "nothing to change".to_owned(),
            (None, 1) => "1 change".to_owned(),
            (None, count) => format!("{count} changes"),
        };
        lines.push(format!("{}: {namespace}{}: {verdict}", object.file, object.name));
        lines.extend(object.steps.iter().map(|step| format!("  {step}")));
    }
    if plan.objects.is_empty() {
        lines.push("no AliyunLogConfig and no ClusterAliyunPipelineConfig found".to_owned());
    }
    lines.join("\n") + "\n"
}
