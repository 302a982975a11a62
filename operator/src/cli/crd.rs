//! `operator crd`: the definitions as YAML.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::{EXIT_FAILED, failed};
use crate::crd::{crd, pipeline_crd};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Only the definition of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

/// The kinds, as they are written on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lowercase")]
pub(crate) enum Kind {
    AliyunLogConfig,
    ClusterAliyunPipelineConfig,
}

impl Kind {
    fn definition(self) -> CustomResourceDefinition {
        match self {
            Self::AliyunLogConfig => crd(),
            Self::ClusterAliyunPipelineConfig => pipeline_crd(),
        }
    }

    /// The definition as it is printed and checked in.
    pub(crate) fn yaml(self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(&self.definition())
    }
}

pub(super) fn main(args: &Args) -> ExitCode {
    let kinds = args.kind.map_or_else(|| Kind::value_variants().to_vec(), |kind| vec![kind]);
    let texts = kinds.into_iter().map(Kind::yaml).collect::<Result<Vec<_>, _>>();
    let text = texts.map(|texts| texts.join("---\n")).map_err(io::Error::other);
    match text.and_then(|text| io::stdout().write_all(text.as_bytes())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(EXIT_FAILED, &error),
    }
}
