//! Which logs somebody asks about, checked at the edge.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use sls_api::names::{InvalidName, LogstoreName, ProjectName};

use crate::error::ApiError;
use crate::query::QueryError;
use crate::query::expr::SearchExpr;
use crate::query::parse;
use crate::query::request::Window;
use crate::query::statement::{self, Tail};
use crate::store::arrived::{Positions, ends};
use crate::store::logstores::LogstoreId;

/// Second behind the last that a log can have.
const TIMES_END: i64 = 1 << 32;
/// Scopes that are remembered; beyond, the oldest is forgotten (own choice: each holds a number for every
/// shard that there is).
const SCOPES_MAX: usize = 1_000;
/// Longest name of a scope, bytes (own choice).
const SCOPE_NAME_BYTES_MAX: usize = 200;

/// Why nothing can be selected.
#[derive(Debug, thiserror::Error)]
pub enum BadSelector {
    /// A name of a project or Logstore that cannot be.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The query.
    #[error("query: {0}")]
    Query(#[from] QueryError),
    /// The scope.
    #[error("there is no scope {0:?}: make it with POST /_mock/v1/scopes?name=… before the logs are written")]
    Scope(String),
}

/// Logs of one Logstore.
#[derive(Debug, Clone)]
pub struct Selector {
    /// The project; it need not be there.
    pub project: ProjectName,
    /// The Logstore; it need not be there.
    pub logstore: LogstoreName,
    /// As asked.
    pub query: String,
    /// Its search.
    pub search: SearchExpr,
    /// Whether a pipeline or SQL follows, so that rows are what is found.
    pub has_rows: bool,
    /// Which log times.
    pub window: Window,
    /// Whether that leaves any out.
    pub has_window: bool,
    /// Only what came after this.
    pub scope: Option<Arc<Scope>>,
}

impl Selector {
    /// From the parts of a request.
    ///
    /// # Errors
    /// [`BadSelector`] says which part cannot be.
    pub fn new(
        project: &str,
        logstore: &str,
        query: &str,
        (from, to): (Option<i64>, Option<i64>),
        scope: Option<Arc<Scope>>,
    ) -> Result<Self, BadSelector> {
        let statement = statement::split(query)?;
        let search = parse::parse(statement.search)?;
        Ok(Self {
            project: project.parse()?,
            logstore: logstore.parse()?,
            query: query.to_owned(),
            search,
            has_rows: !matches!(statement.tail, Tail::None | Tail::PackMeta),
            window: Window::new(from.unwrap_or_default(), to.unwrap_or(TIMES_END), None, None)?,
            has_window: from.is_some() || to.is_some(),
            scope,
        })
    }

    /// A command that explains the query. `here` is where the asker reaches this server.
    pub fn curl(&self, here: &str, scope: Option<&str>) -> String {
        let mut command = format!("curl -sG http://{here}/_mock/v1/explain");
        let window = |name, at: i64| (self.has_window).then(|| (name, at.to_string()));
        let given = [
            Some(("project", self.project.to_string())),
            Some(("logstore", self.logstore.to_string())),
            Some(("query", self.query.clone())),
            scope.map(|scope| ("scope", scope.to_owned())),
            window("from", self.window.from()),
            window("to", self.window.end()),
        ];
        for (name, value) in given.into_iter().flatten() {
            let quoted = value.replace('\'', "'\\''");
            command += &format!(" --data-urlencode '{name}={quoted}'");
        }
        command
    }

    /// From where on logs of the Logstore count.
    pub fn begin(&self, logstore: LogstoreId) -> Positions {
        let scope = self.scope.as_ref().and_then(|scope| scope.ends.get(&logstore));
        scope.cloned().unwrap_or_default()
    }
}

/// A moment in the life of the server, by what had come until then.
#[derive(Debug, Default)]
pub struct Scope {
    ends: HashMap<LogstoreId, Positions>,
}

impl Scope {
    /// Now.
    pub fn now(db: &Connection) -> Result<Self, ApiError> {
        Ok(Self { ends: ends(db)? })
    }
}

/// The scopes of a server, by name.
#[derive(Debug, Default)]
pub struct Scopes(Mutex<VecDeque<(String, Arc<Scope>)>>);

impl Scopes {
    /// Keeps a scope, instead of an earlier one of this name.
    ///
    /// # Errors
    /// [`ApiError::ParameterInvalid`] if the name is empty or too long.
    pub fn keep(&self, name: String, scope: Scope) -> Result<(), ApiError> {
        if name.is_empty() || name.len() > SCOPE_NAME_BYTES_MAX {
            return Err(ApiError::ParameterInvalid(format!(
                "name: a scope's name has 1 to {SCOPE_NAME_BYTES_MAX} bytes"
            )));
        }
        let mut scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.retain(|(known, _)| *known != name);
        if scopes.len() >= SCOPES_MAX {
            scopes.pop_front();
        }
        scopes.push_back((name, Arc::new(scope)));
        Ok(())
    }

    /// The scope of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Arc<Scope>, BadSelector> {
        let scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = scopes.iter().find(|(known, _)| known == name);
        found.map(|(_, scope)| Arc::clone(scope)).ok_or_else(|| BadSelector::Scope(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_selected_says_why() {
        let refusal = |project, logstore, query, times| {
            Selector::new(project, logstore, query, times, None).unwrap_err().to_string()
        };
        let none = (None, None);
        assert!(refusal("P", "ls", "*", none).contains("project"), "{}", refusal("P", "ls", "*", none));
        assert!(refusal("pro", "ls", "a and", none).starts_with("query: ErrorType:QueryParseError"));
        assert!(refusal("pro", "ls", "*", (Some(5), Some(5))).contains("from 5 must be less than"));
    }

    #[test]
    fn the_oldest_scope_makes_room() {
        let scopes = Scopes::default();
        for number in 0..=SCOPES_MAX {
            scopes.keep(number.to_string(), Scope::default()).unwrap();
        }
        assert!(scopes.find("0").is_err() && scopes.find("1").is_ok());
        scopes.keep("1".to_owned(), Scope::default()).unwrap();
        scopes.keep("new".to_owned(), Scope::default()).unwrap();
        assert!(scopes.find("2").is_err() && scopes.find("1").is_ok());
        assert!(scopes.keep(String::new(), Scope::default()).is_err());
    }
}
