//! Resources that every account has: they are made when a call first names one.

use jiff::Timestamp;
use serde_json::{Map, json};
use sls_api::ops::documents::{BUILT_IN_RESOURCES, Kind, Place, stored_as};

use super::request::Request;
use crate::error::ApiError;
use crate::store::Store;
use crate::store::documents::{self, Owner};

/// Makes the built-in resource that a call is about, if it is about one that is not there.
pub(super) async fn ensure(
    store: &Store,
    account: &str,
    kind: &Kind,
    request: &Request,
    now: Timestamp,
) -> Result<(), ApiError> {
    let named = match kind.place {
        Place::Within { parent: stored_as::RESOURCE } => request.path("parent"),
        _ if kind.stored_as == stored_as::RESOURCE => request.path("name"),
        _ => return Ok(()),
    };
    let Some(name) = BUILT_IN_RESOURCES.iter().copied().find(|name| *name == named) else { return Ok(()) };
    let owner = Owner::Account(account.to_owned());
    let looked = owner.clone();
    let found = store.read(move |db| documents::find(db, &looked, stored_as::RESOURCE, name)).await?;
    if found.is_some() {
        return Ok(());
    }
    store
        .write(move |tx| match documents::find(tx, &owner, stored_as::RESOURCE, name)? {
            Some(_) => Ok(()),
            None => {
                let body = Map::from_iter([
                    ("name".to_owned(), json!(name)),
                    ("type".to_owned(), json!("builtin")),
                    ("schema".to_owned(), json!(SCHEMA)),
                ]);
                documents::insert(tx, &owner, stored_as::RESOURCE, name, &body, now)
            }
        })
        .await
}

/// Schema of a built-in resource. Source: guess; no test of an SDK looks at it.
const SCHEMA: &str = r#"{"schema":[]}"#;
