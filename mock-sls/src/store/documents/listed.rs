//! Lists of documents. The database does the choosing and the paging: all documents of a kind
//! together may be more than the memory should hold.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::json;
use sls_api::ops::documents::Test;

use super::{COLUMNS, Document, Owner, stored};
use crate::error::ApiError;
use crate::store::page::Page;

/// What a field of a document must be for the document to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// JSON pointer of the field. One that is missing or not a text counts as an empty text.
    pub pointer: String,
    /// How it is compared.
    pub test: Test,
    /// With what.
    pub wanted: String,
}

impl Condition {
    /// That a field at the top of the document is this text.
    pub fn is(field: &str, wanted: &str) -> Self {
        Self { pointer: format!("/{field}"), test: Test::Is, wanted: wanted.to_owned() }
    }
}

/// The documents of one kind in one place that meet all conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'a> {
    /// What they belong to.
    pub owner: &'a Owner,
    /// As what they are stored.
    pub kind: &'a str,
    /// What they must be.
    pub conditions: Vec<Condition>,
}

impl Listed<'_> {
    /// How many there are.
    pub fn count(&self, db: &Connection) -> Result<u64, ApiError> {
        let (sql, parameters) = self.select("count(*)");
        let count: i64 =
            db.prepare_cached(&sql)?.query_row(params_from_iter(parameters), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The names in a page, or all, in order.
    pub fn names(&self, db: &Connection, page: Option<Page>) -> Result<Vec<String>, ApiError> {
        let (sql, parameters) = self.page("name", page);
        let mut query = db.prepare_cached(&sql)?;
        let names = query.query_map(params_from_iter(parameters), |row| row.get(0))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }

    /// Shows the documents in a page by name, one after the other.
    pub fn each(&self, db: &Connection, page: Page, mut visit: impl FnMut(Document)) -> Result<(), ApiError> {
        let (sql, parameters) = self.page(COLUMNS, Some(page));
        let mut query = db.prepare_cached(&sql)?;
        for document in query.query_map(params_from_iter(parameters), stored)? {
            visit(document?);
        }
        Ok(())
    }

    fn page(&self, columns: &str, page: Option<Page>) -> (String, Vec<Value>) {
        let (mut sql, mut parameters) = self.select(columns);
        sql.push_str(" ORDER BY name");
        if let Some(page) = page {
            let (size, offset) = (parameters.len() + 1, parameters.len() + 2);
            sql.push_str(&format!(" LIMIT ?{size} OFFSET ?{offset}"));
            parameters.extend(page.bounds().map(Value::from));
        }
        (sql, parameters)
    }

    fn select(&self, columns: &str) -> (String, Vec<Value>) {
        let mut sql = format!("SELECT {columns} FROM documents WHERE place = ?1 AND kind = ?2");
        let mut parameters = vec![Value::from(self.owner.place()), Value::from(self.kind.to_owned())];
        for Condition { pointer, test, wanted } in &self.conditions {
            let (path, value) = (parameters.len() + 1, parameters.len() + 2);
            let field = format!("iif(json_type(body, ?{path}) = 'text', json_extract(body, ?{path}), '')");
            let met = match test {
                Test::Contains => format!("instr({field}, ?{value}) > 0"),
                Test::HasKey => format!("EXISTS (SELECT 1 FROM {} WHERE key = ?{value})", pairs(&field)),
                Test::HasValue => format!("EXISTS (SELECT 1 FROM {} WHERE value = ?{value})", pairs(&field)),
                Test::HasPairs => format!(
                    "NOT EXISTS (SELECT 1 FROM json_each(?{value}) AS wanted WHERE NOT EXISTS (SELECT 1 FROM {} \
                     AS had WHERE had.key = wanted.key AND had.value = wanted.value))",
                    pairs(&field)
                ),
                Test::Is | Test::IsUnless(_) => format!("{field} = ?{value}"),
                Test::OneOf => format!("{field} IN (SELECT value FROM json_each(?{value}))"),
            };
            let wanted = match test {
                Test::OneOf => json!(wanted.split(',').collect::<Vec<_>>()).to_string(),
                _ => wanted.clone(),
            };
            sql.push_str(" AND ");
            sql.push_str(&met);
            parameters.extend([path_of(pointer), wanted].map(Value::from));
        }
        (sql, parameters)
    }
}

/// The pairs of an object that is written in a text; none where it is something else.
fn pairs(text: &str) -> String {
    format!("json_each(iif(json_valid({text}), {text}, '{{}}'))")
}

/// A JSON pointer as SQLite writes it; a number is a place in a list.
fn path_of(pointer: &str) -> String {
    let step = |step: &str| match step.parse::<usize>() {
        Ok(number) => format!("[{number}]"),
        Err(_) => format!(".\"{step}\""),
    };
    let steps: String = pointer.split('/').skip(1).map(step).collect();
    format!("${steps}")
}

#[cfg(test)]
mod tests {
    use super::super::insert;
    use super::*;
    use crate::store::testing::database;
    use jiff::Timestamp;

    #[test]
    fn conditions_compare_texts_wherever_they_are() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        let owner = Owner::Account("1".into());
        for (name, body) in [
            ("a", r#"{"type":"x,y","list":[{"Name":"ls"}]}"#),
            ("b", r#"{"type":"x","list":[]}"#),
            ("c", r#"{"type":"zxz"}"#),
            ("d", r#"{"type":1,"in":{"type":"x"}}"#),
            ("e", r#"{"tag":"{\"k\":\"v\",\"l\":\"w\"}"}"#),
            ("f", r#"{"tag":"{\"k\":\"w\"}"}"#),
            ("g", r#"{"tag":"no JSON"}"#),
        ] {
            let body = serde_json::from_str(body).unwrap();
            insert(&tx, &owner, "k", name, &body, Timestamp::UNIX_EPOCH).unwrap();
            insert(&tx, &owner, "other", name, &body, Timestamp::UNIX_EPOCH).unwrap();
        }
        let listed = |pointer: &str, test, wanted: &str| {
            let condition = Condition { pointer: pointer.to_owned(), test, wanted: wanted.to_owned() };
            let listed = Listed { owner: &owner, kind: "k", conditions: vec![condition] };
            let names = listed.names(&tx, None).unwrap();
            assert_eq!(listed.count(&tx).unwrap(), names.len() as u64);
            names.concat()
        };
        assert_eq!(listed("/type", Test::Is, "x"), "b");
        assert_eq!(listed("/type", Test::Is, "1"), "");
        assert_eq!(listed("/type", Test::Contains, "x"), "abc");
        assert_eq!(listed("/type", Test::OneOf, "zxz,x"), "bc");
        assert_eq!(listed("/type", Test::OneOf, "x,y"), "b");
        assert_eq!(listed("/in/type", Test::Is, "x"), "d");
        assert_eq!(listed("/list/0/Name", Test::Is, "ls"), "a");
        assert_eq!(listed("/tag", Test::HasKey, "k"), "ef");
        assert_eq!(listed("/tag", Test::HasValue, "w"), "ef");
        assert_eq!(listed("/tag", Test::HasPairs, r#"{"k":"w"}"#), "f");
        assert_eq!(listed("/tag", Test::HasPairs, r#"{"l":"w","k":"v"}"#), "e");
        assert_eq!(listed("/tag", Test::HasPairs, r#"{"l":"v"}"#), "");
    }

    #[test]
    fn a_page_is_cut_out_by_the_database() {
        let mut db = database();
        let tx = db.transaction().unwrap();
        let owner = Owner::Account("1".into());
        for name in ["c", "a", "b"] {
            insert(&tx, &owner, "k", name, &serde_json::Map::new(), Timestamp::UNIX_EPOCH).unwrap();
        }
        let listed = Listed { owner: &owner, kind: "k", conditions: Vec::new() };
        let page = Page::new(Some(1), Some(1), 100).unwrap();
        assert_eq!(
            (listed.count(&tx).unwrap(), listed.names(&tx, Some(page)).unwrap()),
            (3, vec!["b".to_owned()])
        );
        let mut found = Vec::new();
        listed.each(&tx, page, |document| found.push(document.name)).unwrap();
        assert_eq!(found, ["b"]);
        assert_eq!(listed.names(&tx, Some(Page::new(None, Some(0), 100).unwrap())).unwrap(), [""; 0]);
    }
}
