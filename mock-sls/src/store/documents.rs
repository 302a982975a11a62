//! SQL of documents. What the documents of a kind mean is in `sls_api::ops::documents` and
//! [`crate::ops::documents`]; here they are names with JSON.

mod listed;

pub use listed::{Condition, Listed};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde_json::{Map, Value};

use super::logstores::LogstoreId;
use super::projects::ProjectId;
use super::{from_json, to_json};
use crate::error::ApiError;

/// Largest document, in bytes of JSON. Source: own choice; dashboards with many charts have some
/// 100 kB.
const DOCUMENT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Refuses what is too large to be kept.
pub fn check_size(noun: &str, bytes: usize) -> Result<(), ApiError> {
    if bytes <= DOCUMENT_BYTES_MAX {
        return Ok(());
    }
    Err(ApiError::ParameterInvalid(format!(
        "The {noun} has {bytes} bytes, at most {DOCUMENT_BYTES_MAX} are kept"
    )))
}

/// A body as it is kept.
fn text(body: &Map<String, Value>) -> Result<String, ApiError> {
    let text = to_json(body)?;
    check_size("document", text.len())?;
    Ok(text)
}

/// Key of a document in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentId(pub(super) i64);

/// What a document belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// An account, by its id.
    Account(String),
    /// A project.
    Project(ProjectId),
    /// A Logstore.
    Logstore(LogstoreId),
    /// Another document.
    Document(DocumentId),
}

impl Owner {
    /// As the column `place` has it.
    fn place(&self) -> String {
        match self {
            Self::Account(id) => format!("account {id}"),
            Self::Project(id) => format!("project {}", id.0),
            Self::Logstore(id) => format!("logstore {}", id.0),
            Self::Document(id) => format!("document {}", id.0),
        }
    }
}

/// A document as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its key.
    pub id: DocumentId,
    /// Its name.
    pub name: String,
    /// What the caller set.
    pub body: Map<String, Value>,
    /// Unix seconds.
    pub create_time: i64,
    /// Unix seconds.
    pub last_modify_time: i64,
}

const COLUMNS: &str = "id, name, body, create_time, last_modify_time";

fn stored(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        id: DocumentId(row.get(0)?),
        name: row.get(1)?,
        body: from_json(row, 2)?,
        create_time: row.get(3)?,
        last_modify_time: row.get(4)?,
    })
}

/// The document of this name, if there is one.
pub fn find(db: &Connection, owner: &Owner, kind: &str, name: &str) -> Result<Option<Document>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM documents WHERE place = ?1 AND kind = ?2 AND name = ?3");
    Ok(db.prepare_cached(&sql)?.query_row((owner.place(), kind, name), stored).optional()?)
}

/// Adds a document; the name must be free.
pub fn insert(
    tx: &Transaction<'_>,
    owner: &Owner,
    kind: &str,
    name: &str,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let (mut account, mut project, mut logstore, mut parent) = (None, None, None, None);
    match owner {
        Owner::Account(id) => account = Some(id),
        Owner::Project(id) => project = Some(id.0),
        Owner::Logstore(id) => logstore = Some(id.0),
        Owner::Document(id) => parent = Some(id.0),
    }
    tx.prepare_cached(
        "INSERT INTO documents \
         (account, project_id, logstore_id, parent_id, kind, name, body, create_time, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
    )?
    .execute((account, project, logstore, parent, kind, name, text(body)?, now.as_second()))?;
    Ok(())
}

/// Replaces what a document says.
pub fn replace(
    tx: &Transaction<'_>,
    id: DocumentId,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<(), ApiError> {
    tx.prepare_cached("UPDATE documents SET body = ?2, last_modify_time = ?3 WHERE id = ?1")?.execute((
        id.0,
        text(body)?,
        now.as_second(),
    ))?;
    Ok(())
}

/// Removes a document with what belongs to it.
pub fn delete(tx: &Transaction<'_>, id: DocumentId) -> Result<(), ApiError> {
    tx.prepare_cached("DELETE FROM documents WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::database;

    fn body(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn names_are_unique_within_their_owner_and_kind_only() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        let (a, b) = (Owner::Account("1".into()), Owner::Account("2".into()));
        let add = |owner, kind| insert(&tx, owner, kind, "x", &body("{}"), Timestamp::UNIX_EPOCH);
        add(&a, "k").unwrap();
        add(&b, "k").unwrap();
        add(&a, "l").unwrap();
        assert!(matches!(add(&a, "k"), Err(ApiError::Store(_))));
        let listed = Listed { owner: &a, kind: "k", conditions: Vec::new() };
        assert_eq!(listed.count(&tx).unwrap(), 1);
    }

    #[test]
    fn a_document_that_is_too_large_is_neither_added_nor_put_in_place_of_another() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        let account = Owner::Account("1".into());
        let of_size = |bytes: usize| Map::from_iter([("a".to_owned(), "x".repeat(bytes - 8).into())]);
        let (largest, larger) = (of_size(DOCUMENT_BYTES_MAX), of_size(DOCUMENT_BYTES_MAX + 1));
        insert(&tx, &account, "k", "a", &larger, Timestamp::UNIX_EPOCH).unwrap_err();
        insert(&tx, &account, "k", "a", &largest, Timestamp::UNIX_EPOCH).unwrap();
        let id = find(&tx, &account, "k", "a").unwrap().unwrap().id;
        let refused = replace(&tx, id, &larger, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(refused, ApiError::ParameterInvalid(_)), "{refused}");
        replace(&tx, id, &largest, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn a_document_goes_with_the_one_it_belongs_to() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        let account = Owner::Account("1".into());
        insert(&tx, &account, "resource", "r", &body("{}"), Timestamp::UNIX_EPOCH).unwrap();
        let resource = find(&tx, &account, "resource", "r").unwrap().unwrap();
        let inside = Owner::Document(resource.id);
        insert(&tx, &inside, "record", "1", &body(r#"{"id":"1"}"#), Timestamp::UNIX_EPOCH).unwrap();
        let found = find(&tx, &inside, "record", "1").unwrap().unwrap();
        assert_eq!(found.body, body(r#"{"id":"1"}"#));
        delete(&tx, resource.id).unwrap();
        let left: i64 = tx.query_row("SELECT count(*) FROM documents", (), |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
