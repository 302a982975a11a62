//! `operator validate`: files → problems, as text or JSON.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kube::core::cel::Validator;
use serde::Serialize;
use serde_json::Value;

use super::files::{self, FileError, ReportForm, kind_of, print_report};
use super::run::DefaultsArgs;
use super::{EXIT_FAILED, EXIT_USAGE, failed};
use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use crate::desired::Target;
use crate::kind::ConfigKind;
use crate::schema;
use crate::validate::Defaults;

#[derive(clap::Args)]
pub(super) struct Args {
    /// YAML or JSON file with one or more objects, - for stdin; may be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    /// Form of the result on stdout
    #[arg(short, long, value_enum, default_value_t = ReportForm::Text)]
    output: ReportForm,

    #[command(flatten)]
    defaults: DefaultsArgs,
}

/// The result, as printed with `-o json`.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    objects: Vec<Checked>,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    ok: bool,
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Finding {
    field: String,
    message: String,
    /// Who finds it: `schema` or `rule` (the API server), `spec` (the operator).
    #[serde(rename = "foundBy")]
    found_by: &'static str,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let defaults = Defaults::from(args.defaults.clone());
    match check_files(&args.filename, &defaults)
        .and_then(|report| print_report(&report, args.output, text).map(|()| report.ok))
    {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(error) => failed(EXIT_USAGE, &error),
    }
}

fn check_files(files: &[PathBuf], defaults: &Defaults) -> Result<Report, FileError> {
    let mut objects = Vec::new();
    let mut owners = HashMap::new();
    for path in files {
        let documents = files::documents(path)?;
        objects.extend(documents.iter().filter_map(|one| match kind_of(one) {
            Some(AliyunLogConfig::KIND) => Some(check::<AliyunLogConfig>(one, path, defaults, &mut owners)),
            Some(ClusterAliyunPipelineConfig::KIND) => {
                Some(check::<ClusterAliyunPipelineConfig>(one, path, defaults, &mut owners))
            }
            _ => None,
        }));
    }
    Ok(Report { ok: objects.iter().all(|object| object.ok), objects })
}

/// `owners` holds the objects seen so far by what they claim.
fn check<K: ConfigKind>(
    document: &Value,
    file: &Path,
    defaults: &Defaults,
    owners: &mut HashMap<Target, String>,
) -> Checked {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name = text("/metadata/name").unwrap_or_default();
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let finding = |field: String, message: String, found_by| Finding { field, message, found_by };

    let schema = K::schema();
    let violations = schema::check(&schema, document);
    problems.extend(violations.into_iter().map(|one| finding(one.field, one.message, "schema")));
    // Rules are only meant for objects of the right shape, and the API server takes null for absent.
    if problems.is_empty() {
        let errors = Validator::new().validate(&schema, &without_nulls(document), None).err();
        for error in errors.into_iter().flat_map(kube::core::cel::ValidationErrors::into_vec) {
            problems.push(finding(
                error.field_path.trim_start_matches('.').to_owned(),
                error.message,
                "rule",
            ));
        }
    }
    match serde_json::from_value::<K>(document.clone()) {
        Err(error) if problems.is_empty() => {
            problems.push(finding("spec".into(), error.to_string(), "schema"));
        }
        Err(_) => {}
        Ok(cr) => {
            let (refusals, notes) = match cr.judge(defaults) {
                Ok(valid) => (Vec::new(), valid.warnings),
                Err(refused) => (refused.problems, refused.warnings),
            };
            problems.extend(refusals.iter().map(|one| finding(one.field(), one.to_string(), "spec")));
            warnings.extend(notes.iter().map(|one| finding(one.field(), one.to_string(), "spec")));
            if let Some(target) = cr.claim(defaults) {
                let message = format!("{target} is claimed by another object of these files, ");
                if let Some(owner) = owners.get(&target) {
                    let field = K::NAME_FIELD.to_owned();
                    problems.push(finding(field, format!("{message}{owner}; use another name"), "spec"));
                } else {
                    owners.insert(target, name.clone());
                }
            }
        }
    }
    Checked {
        file: file.display().to_string(),
        namespace: text("/metadata/namespace"),
        name,
        ok: problems.is_empty(),
        problems,
        warnings,
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for object in &report.objects {
        let namespace =
            object.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let verdict = match object.problems.len() {
            0 => "valid".to_owned(),
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        lines.push(format!("{}: {namespace}{}: {verdict}", object.file, object.name));
        lines.extend(object.problems.iter().map(|one| format!("  {}: {}", one.field, one.message)));
        lines.extend(object.warnings.iter().map(|one| format!("  warning: {}: {}", one.field, one.message)));
    }
    if report.objects.is_empty() {
        lines.push("no AliyunLogConfig and no ClusterAliyunPipelineConfig found".to_owned());
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
