//! The custom resource `log.alibabacloud.com/v1alpha1 AliyunLogConfig`, exactly as users write it.
//!
//! These are the *raw* types: they mirror the input and judge nothing. [`crate::validate`] turns them
//! into something the rest of the operator may trust. The schema that the API server enforces is
//! derived from them ([`crd`]) and checked in as `operator/crd/aliyunlogconfig.yaml`; every doc comment
//! on a field is what `kubectl explain` prints.
//!
//! The resource's names, scope and fields are documented by the vendor; its real CRD manifest is not
//! public, so short names, printer columns, ranges and rules are ours (operator specification, §1).

mod input_detail;
mod reconcile;
mod spec;
mod status;

pub use input_detail::{InputDetailSchema, LogType};
pub use reconcile::Reconcile;
pub use spec::{
    AliyunLogConfig, AliyunLogConfigSpec, DeletionPolicy, EncryptConf, InputType, LogstoreMode,
    LogtailConfigSpec, MeteringMode, TelemetryType, UserCmkInfo,
};
pub use status::{AliyunLogConfigStatus, Condition, LastError};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// Finalizer that keeps an object until its Logtail config is gone from Log Service.
pub const FINALIZER: &str = "log.alibabacloud.com/sls-config";

/// Annotation that gives an object free although Log Service could not be cleaned up.
pub const FORCE_DELETE_ANNOTATION: &str = "sls.testbed/force-delete";

/// Annotation that says how much the operator may do for an object: a [`Reconcile`].
pub const RECONCILE_ANNOTATION: &str = "sls.testbed/reconcile";

/// Field manager of everything the operator writes by server-side apply.
pub const FIELD_MANAGER: &str = "sls-operator";

/// The definition as `operator crd` prints it.
pub fn crd() -> CustomResourceDefinition {
    AliyunLogConfig::crd()
}

/// The OpenAPI v3 schema of one object, as JSON; used by the local checks of `operator validate`.
pub fn schema() -> serde_json::Value {
    let crd = crd();
    crd.spec
        .versions
        .first()
        .and_then(|version| version.schema.as_ref())
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
        .and_then(|schema| serde_json::to_value(schema).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
