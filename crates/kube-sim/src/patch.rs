//! The four patch formats. `rest::patch` picks one by content type and feeds
//! the result to the same pipeline as a PUT.

pub mod apply;
pub mod fields;
pub mod managed;
pub mod shape;
pub mod strategic;

use serde_json::Value;

use crate::error::ApiError;

/// Operations in one JSON patch. Source: kube-apiserver (maxJSONPatchOperations).
const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;

/// RFC 6902. A failed `test` or a missing path is 422 with reason Invalid, as
/// on the real server.
pub fn json(target: &Value, body: &Value) -> Result<Value, ApiError> {
    let operations: json_patch::Patch = serde_json::from_value(body.clone())
        .map_err(|e| ApiError::BadRequest(format!("error decoding patch: {e}")))?;
    if operations.len() > JSON_PATCH_OPERATIONS_MAX {
        let message =
            format!("The allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}");
        return Err(ApiError::Injected { code: 413, message, retry_after_seconds: None });
    }
    let mut out = target.clone();
    json_patch::patch(&mut out, &operations).map_err(|e| ApiError::PatchFailed(e.to_string()))?;
    Ok(out)
}

/// RFC 7386.
pub fn merge(target: &Value, body: &Value) -> Result<Value, ApiError> {
    if !body.is_object() {
        return Err(ApiError::BadRequest("a merge patch must be a JSON object".into()));
    }
    let mut out = target.clone();
    json_patch::merge(&mut out, body);
    Ok(out)
}
