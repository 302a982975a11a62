//! Projects that exist, as their answers to calls have shown: a thousand objects of one project need not ask for it a
//! thousand times.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer stands for the project. Source: guess; a call to a project that has gone meanwhile says so
/// itself.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// Projects that are remembered; when there are more, all are asked for again. Source: guess.
const PROJECTS_MAX: usize = 1024;

/// When each project last answered.
#[derive(Default)]
pub(super) struct KnownProjects {
    answers: Mutex<HashMap<String, Instant>>,
}

impl KnownProjects {
    /// Whether it has answered of late.
    pub(super) fn is_known(&self, place: &str) -> bool {
        self.lock().get(place).is_some_and(|answer| answer.elapsed() < KNOWN_FOR)
    }

    /// It has answered.
    pub(super) fn answered(&self, place: &str) {
        let mut answers = self.lock();
        if answers.len() >= PROJECTS_MAX && !answers.contains_key(place) {
            answers.clear();
        }
        match answers.get_mut(place) {
            Some(answer) => *answer = Instant::now(),
            None => {
                answers.insert(place.to_owned(), Instant::now());
            }
        }
    }

    /// It does not exist.
    pub(super) fn gone(&self, place: &str) {
        self.lock().remove(place);
    }

    /// Each statement leaves the map whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_known_from_its_answer_until_it_is_gone() {
        let projects = KnownProjects::default();
        assert!(!projects.is_known("a"));
        projects.answered("a");
        assert!(projects.is_known("a") && !projects.is_known("b"));
        projects.gone("a");
        assert!(!projects.is_known("a"));
        for n in 0..=PROJECTS_MAX {
            projects.answered(&n.to_string());
        }
        assert!(projects.is_known(&PROJECTS_MAX.to_string()) && !projects.is_known("0"));
    }
}
