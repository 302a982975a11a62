//! The two kinds of objects as one: what the operator needs of either. A config in Log Service is made from one of
//! them by the same observe, plan and apply; the kinds differ in how they are validated and in what they call
//! things.

mod pipeline_status;

use std::fmt::Debug;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::{Client, CustomResourceExt, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::conflict;
use crate::crd::{AliyunLogConfig, AliyunLogConfigStatus, ClusterAliyunPipelineConfig};
use crate::desired::Target;
use crate::fate::{ConfigForm, Fate, Others, fate, fate_of_pipeline};
use crate::validate::{
    Defaults, Refused, Valid, claimed_target, claims, pipeline_target, validate, validate_pipeline,
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

    /// What kubectl calls one.
    const SINGULAR: &'static str;

    /// Judges the object; finds everything at once.
    ///
    /// # Errors
    /// [`Refused`] with every problem.
    fn judge(&self, defaults: &Defaults) -> Result<Valid, Refused>;

    /// The target that the object lays claim to, valid or not; `None` when it does not even name one.
    fn claim(&self, defaults: &Defaults) -> Option<Target>;

    /// What the operator has told of it before.
    fn told(&self) -> AliyunLogConfigStatus;

    /// The same of an object that is of the wrong shape, from its `status`.
    fn told_in(status: Value) -> AliyunLogConfigStatus;

    /// What of `status` this kind can say: the rest would be taken for a change at every look.
    fn sayable(status: AliyunLogConfigStatus) -> AliyunLogConfigStatus {
        status
    }

    /// `status` as this kind writes it; `object` is the object if it is of the right shape.
    fn telling(status: &AliyunLogConfigStatus, object: Option<&Self>) -> Value;

    /// The object that has `target` in place of this one, for people.
    fn winner(&self, target: &Target, others: Others<'_>, defaults: &Defaults) -> Option<String>;

    /// What becomes of what it has in Log Service once it goes; `status` is the last written.
    fn fate(&self, status: &AliyunLogConfigStatus, others: Others<'_>, defaults: &Defaults) -> Fate;

    /// How its config is kept.
    const FORM: ConfigForm;

    /// Objects of the older kind that this one has taken the place of, now that it is applied.
    fn replaced<'a>(&self, others: Others<'a>, defaults: &Defaults) -> Vec<&'a AliyunLogConfig>;

    /// The objects of a namespace, which is empty for kinds that have none.
    fn api(client: Client, namespace: &str) -> Api<Self>;

    /// The same objects without a type, for those that may not be of the right shape.
    fn untyped(client: Client, namespace: &str) -> Api<DynamicObject>;

    /// The OpenAPI v3 schema of one object, as JSON; used by the local checks of `operator validate`.
    fn schema() -> serde_json::Value {
        schema_of(&Self::crd())
    }
}

impl ConfigKind for AliyunLogConfig {
    const KIND: &'static str = "AliyunLogConfig";
    const NAME_FIELD: &'static str = "spec.logtailConfig.configName";
    const SINGULAR: &'static str = "aliyunlogconfig";
    const FORM: ConfigForm = ConfigForm::Classic;

    fn judge(&self, defaults: &Defaults) -> Result<Valid, Refused> {
        validate(self, defaults)
    }

    fn claim(&self, defaults: &Defaults) -> Option<Target> {
        claimed_target(self, defaults)
    }

    fn told(&self) -> AliyunLogConfigStatus {
        self.status.clone().unwrap_or_default()
    }

    fn told_in(status: Value) -> AliyunLogConfigStatus {
        serde_json::from_value(status).unwrap_or_default()
    }

    fn telling(status: &AliyunLogConfigStatus, _: Option<&Self>) -> Value {
        json!(status)
    }

    fn winner(&self, target: &Target, others: Others<'_>, defaults: &Defaults) -> Option<String> {
        conflict::winner(self, target, others.readable.iter().copied(), defaults)
            .or_else(|| conflict::winning_pipeline(self, target, others.pipelines, defaults))
    }

    fn fate(&self, status: &AliyunLogConfigStatus, others: Others<'_>, defaults: &Defaults) -> Fate {
        fate(self, status, others, defaults)
    }

    fn replaced<'a>(&self, _: Others<'a>, _: &Defaults) -> Vec<&'a AliyunLogConfig> {
        Vec::new()
    }

    fn api(client: Client, namespace: &str) -> Api<Self> {
        Api::namespaced(client, namespace)
    }

    fn untyped(client: Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client, namespace, &ApiResource::erase::<Self>(&()))
    }
}

impl ConfigKind for ClusterAliyunPipelineConfig {
    const KIND: &'static str = "ClusterAliyunPipelineConfig";
    const NAME_FIELD: &'static str = "metadata.name";
    const SINGULAR: &'static str = "clusteraliyunpipelineconfig";
    const FORM: ConfigForm = ConfigForm::Pipeline;

    fn judge(&self, defaults: &Defaults) -> Result<Valid, Refused> {
        validate_pipeline(self, defaults)
    }

    fn claim(&self, _: &Defaults) -> Option<Target> {
        pipeline_target(self)
    }

    fn told(&self) -> AliyunLogConfigStatus {
        self.status.as_ref().map(pipeline_status::read).unwrap_or_default()
    }

    fn told_in(status: Value) -> AliyunLogConfigStatus {
        serde_json::from_value(status).map(|status| pipeline_status::read(&status)).unwrap_or_default()
    }

    fn sayable(status: AliyunLogConfigStatus) -> AliyunLogConfigStatus {
        AliyunLogConfigStatus { applied_config_tags: None, created: None, ..status }
    }

    fn telling(status: &AliyunLogConfigStatus, object: Option<&Self>) -> Value {
        json!(pipeline_status::write(status, object))
    }

    fn winner(&self, target: &Target, others: Others<'_>, defaults: &Defaults) -> Option<String> {
        conflict::winning_classic(self, target, others.readable, defaults)
    }

    fn fate(&self, status: &AliyunLogConfigStatus, others: Others<'_>, defaults: &Defaults) -> Fate {
        fate_of_pipeline(self, status, others, defaults)
    }

    fn replaced<'a>(&self, others: Others<'a>, defaults: &Defaults) -> Vec<&'a AliyunLogConfig> {
        let target = pipeline_target(self).filter(|_| self.spec.enable_upgrade_override == Some(true));
        let claims = |other: &&AliyunLogConfig| {
            target.as_ref().is_some_and(|target| claims(other, target, defaults))
                && !conflict::is_deleting(*other)
        };
        others.readable.iter().copied().filter(claims).collect()
    }

    fn api(client: Client, _: &str) -> Api<Self> {
        Api::all(client)
    }

    fn untyped(client: Client, _: &str) -> Api<DynamicObject> {
        Api::all_with(client, &ApiResource::erase::<Self>(&()))
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
