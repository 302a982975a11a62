//! Resources and topostores that every account has: they are made when a call first names one.

use jiff::Timestamp;
use serde_json::{Map, json};
use sls_api::ops::documents::{BUILT_IN_RESOURCES, BUILT_IN_TOPOSTORES, Kind, Place, stored_as};

use super::request::Request;
use crate::error::ApiError;
use crate::store::Store;
use crate::store::documents::{self, Owner};

/// Makes the built-in document that a call is about, if it is about one that is not there.
pub(super) async fn ensure(
    store: &Store,
    account: &str,
    kind: &Kind,
    request: &Request,
    now: Timestamp,
) -> Result<(), ApiError> {
    let (stored, all) = match kind.place {
        Place::Within { parent: stored_as::RESOURCE } => (stored_as::RESOURCE, BUILT_IN_RESOURCES),
        Place::Within { parent: stored_as::TOPOSTORE } => (stored_as::TOPOSTORE, BUILT_IN_TOPOSTORES),
        _ if kind.stored_as == stored_as::RESOURCE => (stored_as::RESOURCE, BUILT_IN_RESOURCES),
        _ if kind.stored_as == stored_as::TOPOSTORE => (stored_as::TOPOSTORE, BUILT_IN_TOPOSTORES),
        _ => return Ok(()),
    };
    let named = request.path(if kind.stored_as == stored { "name" } else { "parent" });
    let Some(name) = all.iter().copied().find(|name| *name == named) else { return Ok(()) };
    let owner = Owner::Account(account.to_owned());
    let looked = owner.clone();
    let found = store.read(move |db| documents::find(db, &looked, stored, name)).await?;
    if found.is_some() {
        return Ok(());
    }
    store
        .write(move |tx| match documents::find(tx, &owner, stored, name)? {
            Some(_) => Ok(()),
            None => {
                let mut body = Map::from_iter([("name".to_owned(), json!(name))]);
                if stored == stored_as::RESOURCE {
                    body.insert("type".to_owned(), json!("builtin"));
                    body.insert("schema".to_owned(), json!(SCHEMA));
                }
                documents::insert(tx, &owner, stored, name, &body, now)
            }
        })
        .await
}

/// Schema of a built-in resource. Source: guess; no test of an SDK looks at it.
const SCHEMA: &str = r#"{"schema":[]}"#;
