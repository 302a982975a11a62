//! Faults that tests inject: failed and delayed requests, watches that are cut.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::sync::watch;

use crate::error::ApiError;

/// What to do to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer with this status code and message.
    Fail {
        /// HTTP status code, 400 to 599.
        code: u16,
        /// `Retry-After` header, in seconds.
        retry_after_seconds: Option<u32>,
    },
    /// Handle the request after this time.
    Delay(Duration),
}

/// A fault and the requests it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Method; `None` for all.
    pub method: Option<Method>,
    /// Text that the path must contain; empty for all.
    pub path_contains: String,
    /// How many requests it hits before it is used up.
    pub times: u32,
    /// What happens to them.
    pub effect: Effect,
}

/// The faults in force.
#[derive(Debug)]
pub struct Faults {
    active: Mutex<Vec<Fault>>,
    cut: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { active: Mutex::new(Vec::new()), cut: watch::channel(0).0 }
    }
}

impl Faults {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Ends all watches that are open now.
    pub fn cut_watches(&self) {
        self.cut.send_modify(|n| *n += 1);
    }

    /// Resolves when watches are cut after this call.
    pub fn watch_cuts(&self) -> watch::Receiver<u64> {
        let mut receiver = self.cut.subscribe();
        receiver.mark_unchanged();
        receiver
    }

    fn take(&self, method: &Method, path: &str) -> Option<Effect> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = active.iter_mut().find(|f| {
            f.times > 0 && f.method.as_ref().is_none_or(|m| m == method) && path.contains(&f.path_contains)
        })?;
        hit.times -= 1;
        let effect = hit.effect.clone();
        active.retain(|f| f.times > 0);
        Some(effect)
    }

    /// Lets the faults act on a request.
    pub async fn act(&self, method: &Method, path: &str) -> Result<(), ApiError> {
        match self.take(method, path) {
            None => Ok(()),
            Some(Effect::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Some(Effect::Fail { code, retry_after_seconds }) => {
                let message = format!("fault injected for {method} {path}");
                Err(ApiError::Coded { code, message, retry_after_seconds })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_matching_requests_and_is_used_up() {
        let faults = Faults::default();
        let effect = Effect::Fail { code: 503, retry_after_seconds: None };
        faults.add(Fault {
            method: Some(Method::GET),
            path_contains: "/pods".into(),
            times: 1,
            effect: effect.clone(),
        });
        assert_eq!(faults.take(&Method::POST, "/api/v1/pods"), None);
        assert_eq!(faults.take(&Method::GET, "/api/v1/nodes"), None);
        assert_eq!(faults.take(&Method::GET, "/api/v1/pods"), Some(effect));
        assert_eq!(faults.take(&Method::GET, "/api/v1/pods"), None);
    }
}
