//! Objects of a Logstore. They are kept as documents are, their bytes in base64; so they go with
//! their Logstore and have the limit of documents.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue};
use rusqlite::Connection;
use serde_json::{Map, Value};
use sls_api::names::{COLLECTED_NAME, NameRule};
use sls_api::ops::objects::{GetObject, InObject, Object, PutObject};
use sls_api::sign::md5_hex;

use crate::error::ApiError;
use crate::quotas;
use crate::route::{Call, Operations};
use crate::store::documents::{self, Listed, Owner};
use crate::store::logstores;
use crate::store::projects::ProjectId;

/// Source: the Python SDK, whose comment gives these signs.
const NAME: NameRule = COLLECTED_NAME.of(OBJECT);
/// Under which name objects are stored.
const OBJECT: &str = "object";
/// Field of the stored bytes.
const CONTENT: &str = "content";
/// Field of the stored headers.
const HEADERS: &str = "headers";
/// Type of an object whose writer names none. Source: guess.
const TYPE_DEFAULT: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(put).op(get)
}

async fn put(call: Call<PutObject>) -> Result<Object, ApiError> {
    let (path, now, Object { bytes, mut headers }) = (call.path, call.context.now, call.body);
    NAME.check(&path.object)?;
    documents::check_size("object", bytes.len())?;
    headers.entry(CONTENT_TYPE).or_insert(TYPE_DEFAULT);
    let etag = HeaderValue::from_str(&md5_hex(&bytes)).ok();
    headers.extend(etag.clone().map(|etag| (ETAG, etag)));
    let body = stored(&bytes, &headers);
    let quota = call.context.app.quotas.documents;
    call.context
        .write(move |tx, project| {
            let owner = owner(tx, project, &path)?;
            if let Some(current) = documents::find(tx, &owner, OBJECT, &path.object)? {
                return documents::replace(tx, current.id, &body, now);
            }
            let others = Listed { owner: &owner, kind: OBJECT, conditions: Vec::new() };
            quotas::check(OBJECT, others.count(tx)?, quota)?;
            documents::insert(tx, &owner, OBJECT, &path.object, &body, now)
        })
        .await?;
    Ok(Object { bytes: Bytes::new(), headers: etag.into_iter().map(|etag| (ETAG, etag)).collect() })
}

async fn get(call: Call<GetObject>) -> Result<Object, ApiError> {
    let path = call.path;
    let found = call
        .context
        .read(move |db, project| {
            let owner = owner(db, project, &path)?;
            documents::find(db, &owner, OBJECT, &path.object)?.ok_or_else(|| not_there(&path))
        })
        .await?;
    object(&found.body).ok_or_else(|| ApiError::Internal("an object is damaged".to_owned()))
}

fn owner(db: &Connection, project: ProjectId, path: &InObject) -> Result<Owner, ApiError> {
    logstores::find(db, project, &path.logstore).map(Owner::Logstore)
}

/// Source of the code: guess; the SDKs' tests want one and do not say which.
fn not_there(path: &InObject) -> ApiError {
    let message = format!("object {} does not exist", path.object);
    ApiError::Refused { status: 404, code: "ObjectNotExist", message }
}

/// Headers that are no text are left out.
fn stored(bytes: &[u8], headers: &HeaderMap) -> Map<String, Value> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?)))
    };
    Map::from_iter([
        (CONTENT.to_owned(), BASE64_STANDARD.encode(bytes).into()),
        (HEADERS.to_owned(), Value::Object(headers.iter().filter_map(text).collect())),
    ])
}

fn object(body: &Map<String, Value>) -> Option<Object> {
    let bytes = BASE64_STANDARD.decode(body.get(CONTENT)?.as_str()?).ok()?.into();
    let headers = body.get(HEADERS)?.as_object()?.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
    });
    Some(Object { bytes, headers: headers.collect::<Option<_>>()? })
}
