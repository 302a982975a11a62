//! `operator policy`: AliyunLogConfigs in files → a MutatingAdmissionPolicy and its binding.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::files::{ObjectForm, print_objects};
use super::inject::{ProfileArgs, read_configs};
use super::webhook::PolicyArg;
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::inject::Form;
use crate::policy::policy;

#[derive(clap::Args)]
pub(super) struct Args {
    /// File with AliyunLogConfigs, - for stdin; may be given several times
    #[arg(short, long = "configs", value_name = "FILE", required = true)]
    configs: Vec<PathBuf>,

    /// Namespace of the Pods and of AliyunLogConfigs that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    #[command(flatten)]
    profile: ProfileArgs,

    /// What happens to a Pod for which the policy cannot be evaluated: ignore, it is created as it is; fail, it is refused
    #[arg(long, value_enum, default_value_t = PolicyArg::Ignore)]
    failure_policy: PolicyArg,

    /// Form of the objects on stdout
    #[arg(short, long, value_enum, default_value_t = ObjectForm::Yaml)]
    output: ObjectForm,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let configs = match read_configs(&args.configs, &args.namespace) {
        Ok(Ok(configs)) => configs,
        Ok(Err(wrong)) => {
            let _ = writeln!(io::stderr(), "{wrong}; `operator validate` says more");
            return ExitCode::from(EXIT_FAILED);
        }
        Err(error) => return failed(EXIT_USAGE, &error),
    };
    let profile = args.profile.profile("policy", Form::Native);
    match policy(&args.namespace, &configs, &profile, args.failure_policy.into()) {
        Ok(objects) => match print_objects(&objects, args.output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(EXIT_USAGE, &error),
        },
        Err(skip) => {
            let _ = writeln!(io::stderr(), "no policy ({}): {skip}", skip.reason());
            ExitCode::from(EXIT_FAILED)
        }
    }
}
