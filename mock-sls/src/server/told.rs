//! The journal and the faults of a server, for tests in Rust; the same as `/_mock/v1/journal` and
//! `/_mock/v1/faults`.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sls_expect::fault::{Invalid, Rule, Standing};
use sls_expect::journal::{BadFilter, Entry, Filter, Page};

use super::Running;
use crate::app::App;
use crate::faults::Added;

/// A fault that is removed when this is dropped.
#[must_use = "the fault is removed when this is dropped"]
pub struct Fault {
    app: Arc<App>,
    added: Added,
    kept: bool,
}

impl Fault {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.added.name
    }

    /// Leaves the fault where it is and returns its name.
    pub fn keep(mut self) -> String {
        self.kept = true;
        self.name().to_owned()
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if !self.kept {
            self.app.faults.remove_added(&self.added);
        }
    }
}

impl Running {
    /// The requests that came; waits for one if the filter says so.
    ///
    /// # Errors
    /// [`BadFilter`] if the filter makes no sense.
    pub async fn journal(&self, filter: &Filter) -> Result<Page, BadFilter> {
        self.app.journal.ask(filter).await
    }

    /// Forgets the requests that came; their numbers go on.
    pub fn clear_journal(&self) {
        self.app.journal.clear();
    }

    /// The last requests since a time that wanted to write to a Logstore and were refused, or got no answer;
    /// at most 20, the earliest first.
    pub fn write_errors(&self, project: &str, logstore: &str, since: Timestamp) -> Vec<Entry> {
        self.app.journal.write_errors(project, logstore, since)
    }

    /// Makes requests go wrong until what is returned is dropped.
    ///
    /// # Errors
    /// [`Invalid`] says what is wrong with the rule.
    pub fn fault(&self, rule: Rule) -> Result<Fault, Invalid> {
        let added = self.app.faults.add(vec![rule], self.app.clock.now()).map_err(|(_, invalid)| invalid)?;
        let added = added.into_iter().next().ok_or(Invalid::TooMany)?;
        Ok(Fault { app: Arc::clone(&self.app), added, kept: false })
    }

    /// All faults, with how often they acted.
    pub fn faults(&self) -> Vec<Standing> {
        self.app.faults.list(self.app.clock.now())
    }

    /// Removes the fault of this name. False if there is none.
    pub fn remove_fault(&self, name: &str) -> bool {
        self.app.faults.remove(Some(name)) > 0
    }

    /// Removes all faults. Returns how many.
    pub fn remove_faults(&self) -> usize {
        self.app.faults.remove(None)
    }
}
