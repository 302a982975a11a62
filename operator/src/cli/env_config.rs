//! `operator env-config`: variables of workloads in files → AliyunLogConfigs as YAML.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sls_api::logtail::ENV_PREFIX;

use super::files::{self, FileError, ObjectForm, objects_mut, print_objects, without_nothing};
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::env_form::from_env;
use crate::inject::Workload;

#[derive(clap::Args)]
pub(super) struct Args {
    /// YAML or JSON file with workloads, - for stdin; may be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    /// What the names of the variables begin with
    #[arg(long, value_name = "TEXT", default_value = ENV_PREFIX, env = "ALICLOUD_LOG_DOCKER_CONFIG_PREFIX")]
    prefix: String,

    /// Namespace of workloads that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// Form of the objects on stdout
    #[arg(short, long, value_enum, default_value_t = ObjectForm::Yaml)]
    output: ObjectForm,
}

pub(super) fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(error) => failed(EXIT_USAGE, &error),
    }
}

/// Whether something was found and all of it could be used.
fn run(args: &Args) -> Result<bool, FileError> {
    let mut found = Vec::new();
    let mut told = Vec::new();
    for path in &args.filename {
        for mut document in files::documents(path)? {
            for object in objects_mut(&mut document) {
                let Some(workload) = Workload::of(object, args.namespace.as_deref()) else { continue };
                for variables in workload.environments() {
                    let (objects, problems) = from_env(&args.prefix, Some(workload.namespace()), variables);
                    found.extend(objects);
                    told.extend(problems.iter().map(|problem| format!("{workload}: {problem}")));
                }
            }
        }
    }
    if found.is_empty() && told.is_empty() {
        told.push(format!("no container has a variable {}…", args.prefix));
    }
    let documents = found.into_iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
    let documents = documents.map_err(|error| FileError::Write(error.into()))?;
    print_objects(&documents.into_iter().map(without_nothing).collect::<Vec<_>>(), args.output)?;
    for line in &told {
        let _ = writeln!(io::stderr(), "{line}");
    }
    Ok(told.is_empty())
}
