//! Which of several operators works: the one that holds a Lease. The others wait, ready to take over.
//!
//! [`election`] decides, without a clock of its own; this is the shell that reads and writes the Lease, and the
//! [`Fence`] that keeps an operator from writing once it may have lost it.

pub mod election;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, PostParams};

use crate::metrics::Metrics;
use crate::text::innermost;
use election::{Election, Timing, Turn};

/// Part by which the time between two tries is moved at random, in percent: operators that start together do not
/// keep meeting.
const JITTER_PERCENT: f64 = 20.0;

/// Longest time for giving the Lease back. With the 20 s for looks that are under way it is less than the 30 s that a
/// Pod has to end (`terminationGracePeriodSeconds`, Kubernetes' default).
const RELEASE_MAX: Duration = Duration::from_secs(5);
/// Time between two tries to give it back.
const RELEASE_PAUSE: Duration = Duration::from_millis(200);

/// Which Lease, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this process; no two have the same.
    pub identity: String,
    pub timing: Timing,
}

/// Another operator leads, or may.
#[derive(Debug, thiserror::Error)]
#[error("the lease {lease} is lost: {why}")]
pub struct Lost {
    lease: String,
    why: String,
}

/// Whether this operator may write.
#[derive(Clone, Debug)]
pub struct Fence {
    /// Until when; `None` for ever.
    until: Option<Arc<Mutex<Option<Instant>>>>,
}

impl Fence {
    /// For an operator that does not share its work.
    pub fn open() -> Self {
        Self { until: None }
    }

    /// Shut until a Lease is held.
    pub fn shut() -> Self {
        Self { until: Some(Arc::default()) }
    }

    /// Whether it may write now. Also right after the process was stopped for a while: it asks the clock.
    pub fn is_open(&self) -> bool {
        let Some(until) = &self.until else { return true };
        until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn set(&self, to: Option<Instant>) {
        if let Some(until) = &self.until {
            *until.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }
}

/// One operator's part in the election.
pub struct Leadership {
    leases: Api<Lease>,
    settings: Settings,
    election: Election,
    fence: Fence,
    metrics: Arc<Metrics>,
}

impl Leadership {
    /// Asks for nothing yet. `fence` opens when the Lease is held.
    pub fn new(kube: Client, settings: Settings, fence: Fence, metrics: Arc<Metrics>) -> Self {
        metrics.leads(false);
        Self {
            leases: Api::namespaced(kube, &settings.namespace),
            election: Election::new(settings.identity.clone(), settings.timing),
            settings,
            fence,
            metrics,
        }
    }

    /// Waits until the Lease is held, as long as it takes.
    pub async fn acquire(&mut self) {
        let mut told = String::new();
        loop {
            match self.attempt().await {
                Ok(true) => {
                    tracing::info!(lease = self.lease(), identity = self.settings.identity, "leading");
                    self.metrics.leads(true);
                    return;
                }
                Ok(false) => {
                    let news = format!("{} leads", self.election.holder().unwrap_or("nobody"));
                    if news != told {
                        tracing::info!(lease = self.lease(), "standing by: {news}");
                        told = news;
                    }
                }
                Err(error) => {
                    let news = innermost(&error);
                    if news != told {
                        tracing::warn!(
                            lease = self.lease(),
                            "standing by, since the lease cannot be used: {news}; may the operator get, create and \
                             update it?"
                        );
                        told = news;
                    }
                }
            }
            self.pause().await;
        }
    }

    /// Renews the Lease until that fails for too long.
    pub async fn keep(&mut self) -> Lost {
        let mut why = String::new();
        loop {
            self.pause().await;
            match self.attempt().await {
                Ok(true) => continue,
                Ok(false) if self.election.holder() != Some(&self.settings.identity) => {
                    why = format!("{} holds it", self.election.holder().unwrap_or("nobody"));
                    break;
                }
                // Somebody else changed the Lease at the same moment; it is read again.
                Ok(false) => {}
                Err(error) => {
                    why = innermost(&error);
                    tracing::warn!(lease = self.lease(), "the lease is not renewed: {why}");
                }
            }
            if !self.fence.is_open() {
                why = format!(
                    "not renewed within {} s: {why}",
                    self.settings.timing.renew_deadline.as_secs_f32()
                );
                break;
            }
        }
        self.fence.set(None);
        self.metrics.leads(false);
        Lost { lease: self.lease(), why }
    }

    /// Gives the Lease back, so that the next need not wait until it runs out. Nothing may be written afterwards.
    pub async fn release(&mut self) {
        let was_open = self.fence.is_open();
        self.fence.set(None);
        self.metrics.leads(false);
        if !was_open {
            return;
        }
        let mut why = "no answer".to_owned();
        let released = tokio::time::timeout(RELEASE_MAX, async {
            while let Err(error) = self.try_release().await {
                why = innermost(&error);
                tokio::time::sleep(RELEASE_PAUSE).await;
            }
        });
        match released.await {
            Ok(()) => tracing::info!(lease = self.lease(), "released"),
            Err(_) => {
                tracing::warn!(
                    lease = self.lease(),
                    "not released within {} s: {why}; the next leads when it runs out, in {} s",
                    RELEASE_MAX.as_secs(),
                    self.settings.timing.lease_duration.as_secs()
                );
            }
        }
    }

    /// Reads the Lease, and gives it back if it is ours. A renewal that was given up may still arrive in between, which
    /// is a conflict: it is read again then.
    async fn try_release(&self) -> Result<(), kube::Error> {
        let found = self.leases.get_opt(&self.settings.name).await?;
        if let Some(lease) = found.and_then(|found| self.election.released(&found, Timestamp::now())) {
            self.leases.replace(&self.settings.name, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }

    /// Reads the Lease, and takes or renews it if that is right. Whether it is held now.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        // Less than the deadline, so that there is time for another try.
        let limit = self.settings.timing.renew_deadline / 2;
        let started = Instant::now();
        let result = tokio::time::timeout(limit, self.try_once(started)).await;
        result.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", limit.as_secs_f32());
            Err(kube::Error::Service(why.into()))
        })
    }

    async fn try_once(&mut self, started: Instant) -> Result<bool, kube::Error> {
        let found = self.leases.get_opt(&self.settings.name).await?;
        let turn = self.election.turn(found.as_ref(), Instant::now(), Timestamp::now());
        let params = PostParams::default();
        let written = match turn {
            Turn::Wait => return Ok(false),
            Turn::Create(mut lease) => {
                lease.metadata.name = Some(self.settings.name.clone());
                self.leases.create(&params, &lease).await
            }
            // With the version that was read: of two that take it at once, one is refused.
            Turn::Write(lease) => self.leases.replace(&self.settings.name, &params, &lease).await,
        };
        match written {
            Ok(lease) => {
                self.election.wrote(&lease, Instant::now());
                // Counted from before the request: the others count from its arrival, or later.
                self.fence.set(Some(started + self.settings.timing.renew_deadline));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Who holds the Lease, as far as it was seen.
    pub fn holder(&self) -> Option<&str> {
        self.election.holder()
    }

    async fn pause(&self) {
        let part = JITTER_PERCENT / 100.0;
        tokio::time::sleep(self.settings.timing.retry_period.mul_f64(1.0 - part * fastrand::f64())).await;
    }

    fn lease(&self) -> String {
        format!("{}/{}", self.settings.namespace, self.settings.name)
    }
}

/// A name for this process: `prefix` for people, and what makes it the only one.
pub fn identity(prefix: &str) -> String {
    format!("{prefix}_{:08x}", fastrand::u32(..))
}

/// Checks that a leader stops before another begins.
///
/// # Errors
/// What is wrong, and what would do.
pub fn timing(
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
) -> Result<Timing, String> {
    if lease_duration.as_secs() == 0 || lease_duration.subsec_nanos() != 0 {
        return Err("--lease-duration must be whole seconds: that is what a Lease can hold".to_owned());
    }
    if renew_deadline >= lease_duration {
        return Err(
            "--renew-deadline must be less than --lease-duration: a leader must stop before another begins"
                .to_owned(),
        );
    }
    if retry_period.saturating_mul(2) > renew_deadline {
        return Err(
            "--retry-period must be at most half of --renew-deadline: one failed try must not end it"
                .to_owned(),
        );
    }
    Ok(Timing { lease_duration, renew_deadline, retry_period })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_must_stop_before_another_begins() {
        let seconds = Duration::from_secs;
        assert_eq!(timing(seconds(15), seconds(10), seconds(2)), Ok(Timing::default()));
        for (lease, renew, retry, flag) in
            [(15, 15, 2, "--renew-deadline"), (15, 10, 6, "--retry-period"), (0, 0, 0, "--lease-duration")]
        {
            let error = timing(seconds(lease), seconds(renew), seconds(retry)).unwrap_err();
            assert!(error.starts_with(flag), "{error}");
        }
        assert!(timing(Duration::from_millis(1500), seconds(1), Duration::from_millis(200)).is_err());
    }

    #[test]
    fn a_fence_shuts_by_itself() {
        let fence = Fence::shut();
        assert!(!fence.is_open() && Fence::open().is_open());
        fence.set(Some(Instant::now() + Duration::from_secs(60)));
        assert!(fence.is_open());
        fence.set(Some(Instant::now()));
        assert!(!fence.is_open());
    }
}
