//! `AdmissionReview` of admission.k8s.io/v1: the question, and what an answer must be like.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Attributes, Phase};
use crate::registry::Resource;

/// Who writes: nobody is asked who they are here.
pub const USER: &str = "kube-sim";
/// Groups of that user.
pub const GROUPS: [&str; 2] = ["system:masters", "system:authenticated"];
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// What a webhook said that allows the request.
pub struct Answer {
    /// A JSON patch of the object.
    pub patch: Option<Value>,
    pub warnings: Vec<String>,
    /// The resource as which it saw the object.
    pub seen_as: Arc<Resource>,
}

/// What a webhook said.
pub struct Response {
    pub allowed: bool,
    /// `metav1.Status` of a refusal.
    pub status: Value,
    pub patch: Option<Value>,
    pub warnings: Vec<String>,
}

/// The question about a write.
pub fn request(
    attributes: &Attributes<'_>,
    resource: &Resource,
    uid: &str,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Value {
    let kind = |of: &Resource| json!({"group": of.group, "version": of.version, "kind": of.kind});
    let plural = |of: &Resource| json!({"group": of.group, "version": of.version, "resource": of.plural});
    let mut request = json!({
        "uid": uid,
        "kind": kind(resource), "resource": plural(resource),
        "requestKind": kind(attributes.resource), "requestResource": plural(attributes.resource),
        "operation": attributes.operation.name(),
        "userInfo": {"username": USER, "groups": GROUPS},
        "object": object, "oldObject": old,
        "dryRun": attributes.dry_run, "options": attributes.options,
    });
    // A namespace itself is said to lie in the namespace of its name.
    let namespace =
        if attributes.resource.is("", "Namespace") { attributes.name } else { attributes.namespace };
    let texts = [
        ("name", attributes.name),
        ("namespace", namespace),
        ("subResource", attributes.subresource),
        ("requestSubResource", attributes.subresource),
    ];
    for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        request[field] = text.into();
    }
    json!({"kind": KIND, "apiVersion": API_VERSION, "request": request})
}

/// Reads an answer.
///
/// # Errors
/// It is none to this question; the text is that of the real server.
pub fn response(body: &[u8], uid: &str, phase: Phase) -> Result<Response, String> {
    let review: Value = serde_json::from_slice(body)
        .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
    let text =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let response =
        review.get("response").filter(|one| one.is_object()).ok_or("webhook response was absent")?;
    let answered = text(response, "uid");
    if answered != uid {
        return Err(format!("expected response.uid={uid:?}, got {answered:?}"));
    }
    let (api_version, kind) = (text(&review, "apiVersion"), text(&review, "kind"));
    if (api_version.as_str(), kind.as_str()) != (API_VERSION, KIND) {
        return Err(format!(
            "expected webhook response of {API_VERSION}, Kind={KIND}, got {api_version}, Kind={kind}"
        ));
    }
    let allowed = response
        .get("allowed")
        .and_then(Value::as_bool)
        .ok_or("json: response.allowed is missing or no boolean")?;
    let warnings = response.get("warnings").and_then(Value::as_array).into_iter().flatten();
    Ok(Response {
        allowed,
        status: response.get("status").cloned().unwrap_or_default(),
        patch: patch(response, phase)?,
        warnings: warnings.filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn patch(response: &Value, phase: Phase) -> Result<Option<Value>, String> {
    let patch = response.get("patch").and_then(Value::as_str).filter(|patch| !patch.is_empty());
    let patch_type = response.get("patchType").and_then(Value::as_str);
    match (phase, patch, patch_type) {
        (_, None, None) => Ok(None),
        (Phase::Validating, Some(_), _) => Err("validating webhook may not return response.patch".to_owned()),
        (Phase::Validating, _, Some(_)) => {
            Err("validating webhook may not return response.patchType".to_owned())
        }
        (_, Some(_), None) => Err("webhook returned response.patch but not response.patchType".to_owned()),
        (_, None, Some(_)) => Err("webhook returned response.patchType but not response.patch".to_owned()),
        (_, _, Some(other)) if other != "JSONPatch" => {
            Err(format!("webhook returned invalid response.patchType of {other:?}"))
        }
        (_, Some(patch), Some(_)) => {
            let bytes =
                STANDARD.decode(patch).map_err(|error| format!("response.patch is not base64: {error}"))?;
            let patch: Value = serde_json::from_slice(&bytes)
                .map_err(|error| format!("response.patch is not JSON: {error}"))?;
            Ok(Some(patch))
        }
    }
}
