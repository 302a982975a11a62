//! `operator export`: configs in Log Service → AliyunLogConfigs as YAML.

use std::io::{self, Write};
use std::process::ExitCode;

use sls_api::names::{ConfigName, ProjectName};

use super::files::{FileError, ObjectForm, print_objects, without_nothing};
use super::run::SlsArgs;
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::credentials::CredentialsError;
use crate::export::{ExportError, Exported, export};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Project whose configs are exported
    #[arg(long, value_name = "PROJECT")]
    project: ProjectName,

    /// A config; may be given several times, all of the project without it
    #[arg(long = "config", value_name = "NAME")]
    configs: Vec<ConfigName>,

    /// Namespace that is written into the objects
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    #[command(flatten)]
    sls: SlsArgs,

    /// Form of the objects on stdout
    #[arg(short, long, value_enum, default_value_t = ObjectForm::Yaml)]
    output: ObjectForm,
}

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    File(#[from] FileError),
}

pub(super) fn main(args: Args) -> ExitCode {
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(error @ (Error::Credentials(_) | Error::File(_))) => failed(EXIT_USAGE, &error),
        Err(error) => failed(EXIT_FAILED, &error),
    }
}

/// Whether everything was exported.
fn run(args: Args) -> Result<bool, Error> {
    let config = args.sls.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let exporting = export(config, &args.project, &args.configs);
    let Exported { objects, left_out } = runtime.map_err(Error::Runtime)?.block_on(exporting)?;
    let mut documents = Vec::new();
    for mut object in objects {
        object.metadata.namespace.clone_from(&args.namespace);
        documents
            .push(without_nothing(serde_json::to_value(object).map_err(|e| FileError::Write(e.into()))?));
    }
    print_objects(&documents, args.output)?;
    for line in &left_out {
        let _ = writeln!(io::stderr(), "{line}");
    }
    Ok(left_out.is_empty())
}
