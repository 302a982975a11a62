//! `AdmissionReview` of admission.k8s.io/v1, as far as it is needed. Source: Kubernetes' documentation, "Dynamic
//! Admission Control".

use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::text::cut;

/// Warnings of one answer. Source: guess; clients show each.
const WARNINGS_MAX: usize = 10;
/// Longest warning, in bytes. Source: Kubernetes' documentation: above 256 characters they may be cut.
const WARNING_BYTES_MAX: usize = 256;

/// What an API server sends.
#[derive(Debug, Deserialize)]
pub struct Review {
    pub request: Request,
}

/// A write that is to be judged.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    pub uid: String,
    pub operation: String,
    pub name: String,
    pub namespace: String,
    pub object: Value,
    pub old_object: Value,
}

/// What is answered.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// `metav1.Status` of a refusal; without one the request is allowed.
    pub refused: Option<Value>,
    /// JSON patch of the object.
    pub patch: Option<Value>,
    pub warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<ByteString>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Answer {
    /// The answer to the request of this uid, as it is sent.
    pub fn to_review(&self, uid: &str) -> Value {
        let patch = self.patch.as_ref().map(|patch| ByteString(patch.to_string().into_bytes()));
        let warnings = self.warnings.iter().take(WARNINGS_MAX);
        let response = Response {
            uid,
            allowed: self.refused.is_none(),
            status: self.refused.clone(),
            patch_type: patch.as_ref().map(|_| "JSONPatch"),
            patch,
            warnings: warnings.map(|warning| cut(warning, WARNING_BYTES_MAX)).collect(),
        };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}
