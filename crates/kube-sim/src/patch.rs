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
    let operations: json_patch::Patch =
        serde_json::from_value(body.clone()).map_err(|e| ApiError::PatchFailed(e.to_string()))?;
    if operations.len() > JSON_PATCH_OPERATIONS_MAX {
        let message =
            format!("The allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}");
        return Err(ApiError::Coded { code: 413, message, retry_after_seconds: None });
    }
    let mut out = target.clone();
    for operation in operations.0 {
        if tests_for_absence(&operation, &out) {
            continue;
        }
        let one = json_patch::Patch(vec![replaced_or_added(operation, &out)]);
        json_patch::patch(&mut out, &one).map_err(|e| ApiError::PatchFailed(e.to_string()))?;
    }
    Ok(out)
}

/// A `test` for null of a path that is not there passes on the real server; the RFC and the
/// library call it an error. kube-rs adds its first finalizer behind such a test.
fn tests_for_absence(operation: &json_patch::PatchOperation, target: &Value) -> bool {
    match operation {
        json_patch::PatchOperation::Test(test) => {
            test.value.is_null() && target.pointer(test.path.as_str()).is_none()
        }
        _ => false,
    }
}

/// A `replace` of a member that is not there adds it on the real server, if its object is there; the RFC
/// and the library call it an error.
fn replaced_or_added(operation: json_patch::PatchOperation, target: &Value) -> json_patch::PatchOperation {
    match operation {
        json_patch::PatchOperation::Replace(replace) if lacks_member(target, replace.path.as_str()) => {
            let json_patch::ReplaceOperation { path, value } = replace;
            json_patch::PatchOperation::Add(json_patch::AddOperation { path, value })
        }
        other => other,
    }
}

/// Whether a pointer names a missing member of an object that is there.
fn lacks_member(target: &Value, pointer: &str) -> bool {
    let parent = pointer.rsplit_once('/').and_then(|(parent, _)| target.pointer(parent));
    parent.is_some_and(Value::is_object) && target.pointer(pointer).is_none()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_replaced_member_that_is_not_there_is_added_if_its_object_is() {
        let replace = |path: &str| json!([{"op": "replace", "path": path, "value": 3}]);
        let object = json!({"spec": {}, "list": [1]});
        assert_eq!(json(&object, &replace("/spec/a")).expect("patched")["spec"], json!({"a": 3}));
        assert!(json(&object, &replace("/status/a")).is_err());
        assert!(json(&object, &replace("/list/1")).is_err());
    }

    #[test]
    fn a_test_for_null_passes_where_nothing_is() {
        let first_finalizer = json!([
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]},
        ]);
        let bare = json!({"metadata": {"name": "x"}});
        let patched = json(&bare, &first_finalizer).expect("patched");
        assert_eq!(patched["metadata"]["finalizers"], json!(["a/b"]));
        assert!(json(&patched, &first_finalizer).is_err(), "it is there now");
    }
}
