//! `operator convert`: AliyunLogConfigs in files → ClusterAliyunPipelineConfigs as YAML.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::files::{self, FileError, ObjectForm, kind_of, print_objects, without_nothing};
use super::run::DefaultsArgs;
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::convert::convert;
use crate::crd::AliyunLogConfig;
use crate::kind::ConfigKind;
use crate::validate::Defaults;

#[derive(clap::Args)]
pub(super) struct Args {
    /// YAML or JSON file with one or more objects, - for stdin; may be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    #[command(flatten)]
    defaults: DefaultsArgs,

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

/// Whether everything was converted.
fn run(args: &Args) -> Result<bool, FileError> {
    let defaults = Defaults::from(args.defaults.clone());
    let mut converted = Vec::new();
    let mut told = Vec::new();
    let mut left_out = 0;
    for path in &args.filename {
        for document in files::documents(path)? {
            if kind_of(&document) != Some(AliyunLogConfig::KIND) {
                continue;
            }
            let name = document
                .pointer("/metadata/name")
                .and_then(|name| name.as_str())
                .unwrap_or_default()
                .to_owned();
            let result = serde_json::from_value::<AliyunLogConfig>(document)
                .map_err(|error| format!("it is not one: {error}; `operator validate` says more"))
                .and_then(|cr| convert(&cr, &defaults).map_err(|error| error.to_string()));
            match result {
                Ok((object, warnings)) => {
                    let object =
                        serde_json::to_value(object).map_err(|error| FileError::Write(error.into()))?;
                    converted.push(without_nothing(object));
                    told.extend(
                        warnings.iter().map(|one| format!("{name}: warning: {}: {one}", one.field())),
                    );
                }
                Err(why) => {
                    left_out += 1;
                    told.push(format!("AliyunLogConfig {name} is left out: {why}"));
                }
            }
        }
    }
    if converted.is_empty() && left_out == 0 {
        left_out += 1;
        told.push("no AliyunLogConfig found".to_owned());
    }
    print_objects(&converted, args.output)?;
    for line in &told {
        let _ = writeln!(io::stderr(), "{line}");
    }
    Ok(left_out == 0)
}
