//! Which process is which container's first: for the bed, which does to containers from outside what a
//! node's root could do.
//!
//! The workers of pods add and remove; [`super::super::Running::process`] asks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Process ids of running containers by container id.
#[derive(Debug, Default)]
pub struct Processes(Mutex<HashMap<String, i32>>);

impl Processes {
    pub(super) fn add(&self, id: String, pid: i32) {
        self.lock().insert(id, pid);
    }

    pub(super) fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The first process of the container of that id, while it runs.
    pub fn find(&self, id: &str) -> Option<i32> {
        self.lock().get(id).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, i32>> {
        // Every change is a single step, so a panic elsewhere leaves no half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
