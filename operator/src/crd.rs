//! The custom resources, exactly as users write them: `log.alibabacloud.com/v1alpha1 AliyunLogConfig`, and in
//! [`pipeline`] the newer `telemetry.alibabacloud.com/v1alpha1 ClusterAliyunPipelineConfig`.
//!
//! These are the *raw* types: they mirror the input and judge nothing. [`crate::validate`] turns them
//! into something the rest of the operator may trust. The schema that the API server enforces is
//! derived from them ([`crd`]) and checked in as files of `operator/crd`; every doc comment
//! on a field is what `kubectl explain` prints.
//!
//! The resource's names, scope and fields are documented by the vendor; its real CRD manifest is not
//! public, so short names, printer columns, ranges and rules are ours (operator specification, §1).

mod input_detail;
mod pipeline;
mod reconcile;
mod spec;
mod status;

pub use input_detail::{InputDetailSchema, LogType};
pub use pipeline::{
    ClusterAliyunPipelineConfig, ClusterAliyunPipelineConfigSpec, ClusterAliyunPipelineConfigStatus,
    LastAppliedConfig, PipelineBody, PipelineLogstore, PipelineMachineGroup, PipelineProject,
};
pub use reconcile::Reconcile;
pub use spec::{
    AliyunLogConfig, AliyunLogConfigSpec, DeletionPolicy, EncryptConf, InputType, LogstoreMode,
    LogtailConfigSpec, MeteringMode, TelemetryType, UserCmkInfo,
};
pub use status::{AliyunLogConfigStatus, Condition, Created, LastError};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// Finalizer that keeps an object until its Logtail config is gone from Log Service.
pub const FINALIZER: &str = "log.alibabacloud.com/sls-config";

/// Annotation that gives an object free although Log Service could not be cleaned up.
pub const FORCE_DELETE_ANNOTATION: &str = "sls.testbed/force-delete";

/// Annotation that says how much the operator may do for an object: a [`Reconcile`].
pub const RECONCILE_ANNOTATION: &str = "sls.testbed/reconcile";

/// Annotation that lets an object take over a config that belongs to another cluster.
pub const ADOPT_ANNOTATION: &str = "sls.testbed/adopt";

/// Annotation that has mutable settings of an existing Logstore changed as the object says.
pub const LOGSTORE_UPDATE_ANNOTATION: &str = "sls.testbed/logstore-update";

/// Field manager of everything the operator writes by server-side apply.
pub const FIELD_MANAGER: &str = "sls-operator";

/// The definition of AliyunLogConfig.
pub fn crd() -> CustomResourceDefinition {
    AliyunLogConfig::crd()
}

/// The definition of ClusterAliyunPipelineConfig.
pub fn pipeline_crd() -> CustomResourceDefinition {
    ClusterAliyunPipelineConfig::crd()
}

#[cfg(test)]
mod tests;
