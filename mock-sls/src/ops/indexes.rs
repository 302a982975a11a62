//! Indexes. A change takes effect at once, for logs written after it.

use sls_api::Json;
use sls_api::operation::DecodeError;
use sls_api::ops::indexes::{CreateIndex, DeleteIndex, GetIndex, Index, IndexKey, IndexType, UpdateIndex};

use crate::error::ApiError;
use crate::route::{Call, Operations};
use crate::store::{indexes, logstores};

/// Longest text value that SQL sees, in bytes. Source: API reference, CreateIndex.
const TEXT_BYTES_ALLOWED: std::ops::RangeInclusive<i64> = 64..=16_384;
/// The same where the caller says nothing. Source: API reference, CreateIndex.
const TEXT_BYTES_DEFAULT: i64 = 2_048;
/// Days shown where the caller gave none. Source: guess; the value has no effect.
const TTL_DAYS_DEFAULT: i64 = 30;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_or(bad_body, create).op(get).op_or(bad_body, update).op(delete)
}

fn bad_body(error: DecodeError) -> ApiError {
    match error {
        DecodeError::Json(error) if error.to_string().contains("missing field `type`") => {
            ApiError::ParameterInvalid("key config must has type.".to_owned())
        }
        DecodeError::Json(error) => {
            ApiError::IndexInfoInvalid(format!("The body is not a valid index: {error}"))
        }
        other => other.into(),
    }
}

async fn create(call: Call<CreateIndex>) -> Result<(), ApiError> {
    let (name, now) = (call.path.logstore, call.context.now);
    let index = checked(call.body.0)?;
    call.context
        .write(move |tx, project| {
            let id = logstores::find(tx, project, &name)?;
            match indexes::get(tx, id)? {
                Some(_) => Err(ApiError::IndexAlreadyExist),
                None => indexes::set(tx, id, Some(&index), now),
            }
        })
        .await
}

async fn get(call: Call<GetIndex>) -> Result<Json<Index>, ApiError> {
    let name = call.path.logstore;
    let stored = call
        .context
        .read(move |db, project| indexes::get(db, logstores::find(db, project, &name)?))
        .await?
        .ok_or(ApiError::IndexConfigNotExist)?;
    let index = stored.index;
    Ok(Json(Index {
        ttl: index.ttl.or(Some(TTL_DAYS_DEFAULT)),
        max_text_len: index.max_text_len.or(Some(TEXT_BYTES_DEFAULT)),
        last_modify_time: Some(stored.last_modify_time),
        index_mode: Some("v2".to_owned()),
        storage: Some("pg".to_owned()),
        ..index
    }))
}

async fn update(call: Call<UpdateIndex>) -> Result<(), ApiError> {
    let (name, now) = (call.path.logstore, call.context.now);
    let index = checked(call.body.0)?;
    call.context
        .write(move |tx, project| {
            let id = logstores::find(tx, project, &name)?;
            match indexes::get(tx, id)? {
                Some(_) => indexes::set(tx, id, Some(&index), now),
                None => Err(ApiError::IndexNotCreated),
            }
        })
        .await
}

async fn delete(call: Call<DeleteIndex>) -> Result<(), ApiError> {
    let (name, now) = (call.path.logstore, call.context.now);
    call.context
        .write(move |tx, project| {
            let id = logstores::find(tx, project, &name)?;
            match indexes::get(tx, id)? {
                Some(_) => indexes::set(tx, id, None, now),
                None => Err(ApiError::IndexNotCreated),
            }
        })
        .await
}

/// Rules of the API reference, CreateIndex.
fn checked(index: Index) -> Result<Index, ApiError> {
    let invalid = |message: String| Err(ApiError::IndexInfoInvalid(message));
    if index.line.is_none() && index.keys.is_none() {
        return invalid("An index needs line, keys or both.".to_owned());
    }
    if let Some(line) = &index.line
        && line.include_keys.is_some()
        && line.exclude_keys.is_some()
    {
        return invalid("line has include_keys and exclude_keys; use one of them.".to_owned());
    }
    if let Some(bytes) = index.max_text_len
        && !TEXT_BYTES_ALLOWED.contains(&bytes)
    {
        let (min, max) = TEXT_BYTES_ALLOWED.into_inner();
        return invalid(format!("max_text_len must be {min} to {max}, not {bytes}."));
    }
    for (field, key) in index.keys.iter().flatten() {
        check_key(field, key)?;
    }
    Ok(index)
}

fn check_key(field: &str, key: &IndexKey) -> Result<(), ApiError> {
    if field.is_empty() {
        return Err(ApiError::IndexInfoInvalid("keys has a field without a name.".to_owned()));
    }
    // The OpenAPI SDK sends an empty list with every field.
    if key.kind != IndexType::Json && key.json_keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
        return Err(ApiError::IndexInfoInvalid(format!(
            "The field {field:?} has json_keys, but its type is not json."
        )));
    }
    Ok(())
}
