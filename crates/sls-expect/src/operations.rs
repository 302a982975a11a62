//! Operations as users name them in a fault or a filter of the journal: names of the API documents,
//! words for several of them, `*` for all. Used by [`crate::fault`] and [`crate::journal`].

use serde::{Deserialize, Serialize};
use sls_api::nearest::nearest;
use sls_api::operation::Endpoint;
use sls_api::ops::all_endpoints;

/// Names in one list (own choice: more than there are operations in any part of the API).
pub const NAMES_MAX: usize = 100;

/// Stands for every operation.
const ALL: &str = "*";

/// Words for several operations. Their names begin with a small letter, those of operations with a
/// capital one.
const FAMILIES: [(&str, &[&str]); 3] = [
    (
        "write",
        &[
            "PutLogs",
            "PutLogsByKey",
            "PutLogsToLogstore",
            "PutWebtracking",
            "PutWebtrackingByQuery",
            "PutWebtrackingByImage",
            "PutWebtrackingByImageOfPage",
        ],
    ),
    ("query", &QUERIES),
    ("pull", &["PullLogs", "PullLogsByLogs"]),
];

/// What searches or counts logs.
const QUERIES: [&str; 6] =
    ["GetLogs", "GetLogsV1", "GetHistograms", "GetHistogramsOfIndex", "GetContextLogs", "GetProjectLogs"];

/// Operations by name: one, or a list. Empty stands for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Given", into = "Given")]
pub struct Operations(Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "operation: use a name, or a list of names")]
enum Given {
    One(String),
    Many(Vec<String>),
}

impl From<Given> for Operations {
    fn from(given: Given) -> Self {
        match given {
            Given::One(name) => Self(vec![name]),
            Given::Many(names) => Self(names),
        }
    }
}

impl From<Operations> for Given {
    fn from(Operations(mut names): Operations) -> Self {
        match names.pop() {
            Some(name) if names.is_empty() => Self::One(name),
            last => Self::Many(names.into_iter().chain(last).collect()),
        }
    }
}

impl From<&str> for Operations {
    /// Names with commas between them.
    fn from(names: &str) -> Self {
        Self(names.split(',').map(|name| name.trim().to_owned()).collect())
    }
}

/// A name that no operation has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownOperation {
    /// None is called so.
    #[error("{name:?} is no operation{}; docs/api.md has their names, and write, query, pull and * stand for several", instead(.nearest))]
    Name {
        /// As given.
        name: String,
        /// A name that is nearly the same.
        nearest: Option<&'static str>,
    },
    /// More than there may be.
    #[error("{0} operations are more than the {NAMES_MAX} that a list may have: use *")]
    TooMany(usize),
}

fn instead(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!(": do you mean {name}?")).unwrap_or_default()
}

/// Operations that were looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// None for all.
    names: Option<Vec<&'static str>>,
}

impl Operations {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks the names up.
    ///
    /// # Errors
    /// [`UnknownOperation`] for the first that is not the name of one.
    pub fn select(&self) -> Result<Selection, UnknownOperation> {
        if self.0.len() > NAMES_MAX {
            return Err(UnknownOperation::TooMany(self.0.len()));
        }
        if self.0.is_empty() || self.0.iter().any(|name| name == ALL) {
            return Ok(Selection::default());
        }
        let mut names = Vec::new();
        for name in &self.0 {
            match FAMILIES.iter().find(|(family, _)| family == name) {
                Some((_, members)) => names.extend(*members),
                None => names.push(known(name)?),
            }
        }
        Ok(Selection { names: Some(names) })
    }
}

impl Selection {
    /// Whether this operation is among them.
    pub fn has(&self, operation: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&operation))
    }

    /// Whether one of them has something.
    pub fn any(&self, has: impl Fn(&Endpoint) -> bool) -> bool {
        all_endpoints().any(|endpoint| self.has(endpoint.name) && has(&endpoint))
    }
}

/// Whether an operation searches or counts logs.
pub fn is_query(operation: &str) -> bool {
    QUERIES.contains(&operation)
}

fn known(name: &str) -> Result<&'static str, UnknownOperation> {
    if let Some(endpoint) = all_endpoints().find(|endpoint| endpoint.name == name) {
        return Ok(endpoint.name);
    }
    let families = FAMILIES.iter().map(|(family, _)| *family);
    let nearest = nearest(name, all_endpoints().map(|endpoint| endpoint.name).chain(families));
    Err(UnknownOperation::Name { name: name.to_owned(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_operations_that_there_are() {
        for (family, members) in FAMILIES {
            let selected = Operations::from(family).select().unwrap();
            for member in members {
                assert_eq!(known(member), Ok(*member));
                assert!(selected.has(member), "{family} {member}");
            }
            assert!(!selected.has("GetProject"), "{family}");
        }
    }

    #[test]
    fn nothing_and_a_star_are_all_and_a_list_is_those_in_it() {
        for all in [Operations::default(), "*".into(), "PutLogs,*".into()] {
            assert!(all.select().unwrap().has("GetProject"));
        }
        let two = Operations::from("PutLogs, GetLogs").select().unwrap();
        assert!(two.has("PutLogs") && two.has("GetLogs") && !two.has("GetLogsV1"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let refused = |name: &str| Operations::from(name).select().unwrap_err().to_string();
        assert!(refused("putlog").starts_with("\"putlog\" is no operation: do you mean PutLogs?"));
        assert!(refused("Writes").contains("do you mean write?"));
        assert!(refused("xyz").starts_with("\"xyz\" is no operation; docs/api.md"));
    }
}
