//! The two kinds of objects as one: what the operator needs of either. A config in Log Service is made from one of
//! them by the same observe, plan and apply; the kinds differ in how they are validated and in what they call
//! things.

use std::fmt::Debug;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use crate::desired::Target;
use crate::validate::{
    Defaults, Refused, Valid, claimed_target, pipeline_target, validate, validate_pipeline,
};

/// A kind of object that asks for a config in Log Service.
pub trait ConfigKind:
    Resource<DynamicType = ()>
    + CustomResourceExt
    + DeserializeOwned
    + Serialize
    + Clone
    + Debug
    + Send
    + Sync
    + 'static
{
    /// Name of the kind.
    const KIND: &'static str;
    /// Where an object says how its config is named.
    const NAME_FIELD: &'static str;

    /// Judges the object; finds everything at once.
    ///
    /// # Errors
    /// [`Refused`] with every problem.
    fn judge(&self, defaults: &Defaults) -> Result<Valid, Refused>;

    /// The target that the object lays claim to, valid or not; `None` when it does not even name one.
    fn claim(&self, defaults: &Defaults) -> Option<Target>;

    /// The OpenAPI v3 schema of one object, as JSON; used by the local checks of `operator validate`.
    fn schema() -> serde_json::Value {
        schema_of(&Self::crd())
    }
}

impl ConfigKind for AliyunLogConfig {
    const KIND: &'static str = "AliyunLogConfig";
    const NAME_FIELD: &'static str = "spec.logtailConfig.configName";

    fn judge(&self, defaults: &Defaults) -> Result<Valid, Refused> {
        validate(self, defaults)
    }

    fn claim(&self, defaults: &Defaults) -> Option<Target> {
        claimed_target(self, defaults)
    }
}

impl ConfigKind for ClusterAliyunPipelineConfig {
    const KIND: &'static str = "ClusterAliyunPipelineConfig";
    const NAME_FIELD: &'static str = "metadata.name";

    fn judge(&self, defaults: &Defaults) -> Result<Valid, Refused> {
        validate_pipeline(self, defaults)
    }

    fn claim(&self, _: &Defaults) -> Option<Target> {
        pipeline_target(self)
    }
}

fn schema_of(crd: &CustomResourceDefinition) -> serde_json::Value {
    crd.spec
        .versions
        .first()
        .and_then(|version| version.schema.as_ref())
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
        .and_then(|schema| serde_json::to_value(schema).ok())
        .unwrap_or_default()
}
