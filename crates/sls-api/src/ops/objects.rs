//! Objects of a Logstore: bytes under a name, with a type and headers of the writer's own.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use crate::{
    NoQuery, Payload, WireBody,
    names::LogstoreName,
    operation::{DecodeError, Fidelity, Source, operation, shape::Shape},
};

/// Beginning of the names of headers that are kept with an object.
pub const META_PREFIX: &str = "x-log-meta-";
/// Digest of the bytes that the writer gave; kept with an object.
pub const CONTENT_MD5: &str = "content-md5";

/// Path of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InObject {
    /// The Logstore.
    pub logstore: LogstoreName,
    /// Name of the object.
    pub object: String,
}

/// An object as it travels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// `Content-Type`, `Content-MD5`, `ETag` and those that begin with [`META_PREFIX`].
    pub headers: HeaderMap,
}

/// Whether a header belongs to an object.
fn is_kept(name: &HeaderName) -> bool {
    name == CONTENT_TYPE
        || name == ETAG
        || name.as_str() == CONTENT_MD5
        || name.as_str().starts_with(META_PREFIX)
}

impl WireBody for Object {
    fn to_payload(&self) -> Payload {
        Payload { headers: self.headers.clone(), bytes: self.bytes.clone() }
    }

    fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        let kept = payload.headers.iter().filter(|(name, _)| is_kept(name));
        let headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Self { bytes: payload.bytes, headers })
    }

    fn shape() -> Shape {
        Shape::Bytes("application/octet-stream")
    }
}

operation!(
    /// Writes an object.
    PutObject: PUT "/logstores/{logstore}/objects/{object}", Project, C, Fidelity::Partial("about 1.5 MiB at most"), Source::Sdk("python, go, java: put_object"),
    InObject, NoQuery, Object => Object);
operation!(
    /// Reads an object.
    GetObject: GET "/logstores/{logstore}/objects/{object}", Project, C, Fidelity::Full, Source::Sdk("python, go, java: get_object"),
    InObject, NoQuery, () => Object);
