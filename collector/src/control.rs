//! Where configs come from: the config server (heartbeats out, configs in), and files beside the collector.
//!
//! A server that cannot be reached is asked again for ever; what was received before goes on
//! collecting, also after a restart. What is not about the server is in `between`. Called by `service`, which
//! hands in what applies the configs.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sls_api::agent::ConfigDetail;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::alarm::Alarm;
use crate::engine::status::Board;
use crate::env::Env;
use crate::identity::GroupIds;
use crate::instance_config::{HostPort, InstanceConfig};
use crate::layout::Layout;
use crate::lines::EVENT_BYTES_MAX;
use crate::pipeline::Pipeline;

mod alarms;
mod ask;
mod between;
mod link;
mod local;
mod received;
mod session;
mod store;
mod transport;
mod trials;

use link::{Beat, Link, Say};
use local::LocalConfigs;
use received::Received;
pub use session::Agent;
use session::{Answer, Change, Session};
pub use store::RemoteConfigs;
use trials::Trials;

/// First pause after a failed heartbeat; doubles up to the heartbeat interval. Source: own choice.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// Share of a pause by which it is shortened or lengthened at random, so that the collectors of a
/// cluster do not all ask at once. Source: own choice.
const JITTER: f64 = 0.1;

/// Heartbeats in a row that follow at once because something changed. Source: own choice; a server
/// that changes its mind with every answer is then asked at the usual pace.
const AT_ONCE_MAX: u32 = 3;

/// What runs the pipelines.
pub trait Collect {
    /// Makes these pipelines, and no others, collect. Nothing is lost of those that stay.
    fn apply(&self, pipelines: Vec<Pipeline>);

    /// What is wrong at the moment, by pipeline name.
    fn troubles(&self) -> BTreeMap<String, String>;

    /// Names of the pipelines that have read something.
    fn reading(&self) -> BTreeSet<String>;

    /// Where the state is shown, and alarms are raised.
    fn board(&self) -> Arc<Board>;
}

/// The agent's side of the protocol.
pub struct Control<'a, C> {
    env: &'a Env,
    layout: &'a Layout,
    instance: &'a InstanceConfig,
    store: RemoteConfigs,
    received: Received,
    collect: &'a C,
    session: Session,
    local: LocalConfigs,
    /// When the local configs are looked at next.
    scan_at: Instant,
    trials: Trials,
    link: Link,
    /// Index of the server that answered last.
    preferred: usize,
    notice: String,
    idle_said: bool,
    problems_said: Vec<String>,
}

/// How one exchange went.
enum Exchange {
    /// Something changed: tell the server at once.
    Changed,
    Unchanged,
    Failed,
}

impl<'a, C: Collect> Control<'a, C> {
    /// Takes up the configs that an earlier run stored. What the server sends is noted in `received`.
    pub fn new(
        agent: Agent,
        env: &'a Env,
        layout: &'a Layout,
        instance: &'a InstanceConfig,
        store: RemoteConfigs,
        received: PathBuf,
        collect: &'a C,
    ) -> Self {
        let mut session = Session::new(agent);
        let (stored, problems) = store.load();
        for problem in problems {
            warn!("{problem}");
        }
        let received = Received::new(received, &stored);
        for config in stored {
            let name = config.name.clone();
            let subject = alarms::subject_of(&name, &config.config);
            match session.restore(config, instance) {
                Ok(()) => info!("config {name}: collecting as stored by an earlier run"),
                Err(reason) => {
                    error!("config {name}, stored by an earlier run, cannot be used: {reason}");
                    let alarms = &collect.board().alarms;
                    alarms.raise(Alarm::UserConfig, "stored", &subject, 1, || reason);
                }
            }
        }
        Self {
            env,
            layout,
            instance,
            store,
            received,
            collect,
            session,
            local: LocalConfigs::new(layout.clone()),
            scan_at: Instant::now(),
            trials: Trials::new(
                layout.prefix().map(ToOwned::to_owned),
                instance.reading.event_bytes_max.unwrap_or(EVENT_BYTES_MAX),
            ),
            link: Link::new(),
            preferred: 0,
            notice: String::new(),
            idle_said: false,
            problems_said: Vec::new(),
        }
    }

    /// Applies the stored and the local configs, then talks to the server until dropped. `ready` becomes true
    /// when what should be collected is being collected: after the first successful exchange, or after the
    /// first attempt if an earlier run left configs or there are local ones.
    pub async fn run(mut self, ready: watch::Sender<bool>) -> Infallible {
        self.scan();
        self.apply();
        self.write_received();
        if self.instance.config_servers.is_empty() {
            self.say_no_server();
            loop {
                if self.collects() {
                    tell_ready(&ready);
                }
                self.rest(self.scan_at, false).await;
            }
        }
        let mut failures = 0u32;
        let mut at_once = 0u32;
        let mut was_early = false;
        loop {
            match self.exchange().await {
                Exchange::Changed if at_once < AT_ONCE_MAX => {
                    (failures, at_once) = (0, at_once + 1);
                    tell_ready(&ready);
                    continue;
                }
                Exchange::Changed | Exchange::Unchanged => {
                    (failures, at_once) = (0, 0);
                    tell_ready(&ready);
                }
                Exchange::Failed => {
                    failures = failures.saturating_add(1);
                    if self.collects() {
                        tell_ready(&ready);
                    }
                }
            }
            let pause = pause(failures, self.instance.heartbeat_interval, fastrand::f64());
            // Every other time at most, so that a server that changes its mind all the time is not asked more.
            let may_end_early = failures == 0 && !was_early;
            was_early = self.rest(Instant::now() + pause, may_end_early).await;
        }
    }

    async fn exchange(&mut self) -> Exchange {
        let ids = GroupIds::read(self.env, self.layout);
        self.say_id_problems(&ids);
        let (beat, outcome) = match self.beat(&ids).await {
            Err(reason) => (Beat::Unreachable(reason), Exchange::Failed),
            Ok(Answer::Refused { status, message }) => {
                (Beat::Refused(format!("status {status}: {message}")), Exchange::Failed)
            }
            Ok(Answer::Accepted { notice, updates, fetch }) => {
                self.say_notice(notice);
                match self.with_details(updates, fetch).await {
                    Ok(updates) => (Beat::Accepted, self.take(&updates, &ids)),
                    Err(reason) => (Beat::Unreachable(reason), Exchange::Failed),
                }
            }
        };
        self.say(&beat);
        outcome
    }

    fn take(&mut self, updates: &[ConfigDetail], ids: &GroupIds) -> Exchange {
        let mut changed = false;
        for update in updates {
            let (name, version) = (&update.name, update.version);
            let change = self.session.update(update, self.instance);
            match &change {
                Change::None => {}
                Change::Removed => self.received.forget(name),
                Change::Applied { .. } | Change::Failed { .. } => {
                    self.received.note(name, version, &update.detail);
                }
            }
            match change {
                Change::None => continue,
                Change::Applied { store, notice } => {
                    info!("config {name}: version {version} accepted{}", prefixed("; ", &notice));
                    if let Err(error) = self.store.save(&store) {
                        let directory = self.store.directory().display();
                        warn!(
                            "config {name} cannot be stored in {directory} ({error}); a restart needs the server"
                        );
                    }
                }
                Change::Removed => {
                    info!("config {name}: removed by the server");
                    if let Err(error) = self.store.remove(name) {
                        warn!(
                            "config {name} cannot be removed from {}: {error}",
                            self.store.directory().display()
                        );
                    }
                }
                Change::Failed { message } => {
                    error!("config {name}: version {version} cannot be used: {message}");
                    let config = serde_json::from_slice(&update.detail).unwrap_or_default();
                    let subject = alarms::subject_of(name, &config);
                    let text = || format!("version {version}: {message}");
                    self.collect.board().alarms.raise(Alarm::UserConfig, "", &subject, 1, text);
                }
            }
            changed = true;
        }
        self.say_idle(ids);
        if !changed {
            return Exchange::Unchanged;
        }
        self.apply();
        self.write_received();
        Exchange::Changed
    }

    fn say(&mut self, beat: &Beat) {
        alarms::raise_for_beat(&self.collect.board().alarms, beat);
        let servers = &self.instance.config_servers;
        let server = servers.get(self.preferred).map(HostPort::as_str).unwrap_or_default();
        let holding = match self.running().count() {
            0 => "nothing is collected meanwhile".to_owned(),
            1 => "1 config goes on collecting".to_owned(),
            count => format!("{count} configs go on collecting"),
        };
        match self.link.note(beat, server, &holding, Instant::now()) {
            None => {}
            Some(Say::Info(text)) => info!("{text}"),
            Some(Say::Error(text)) => error!("{text}"),
        }
    }

    fn say_notice(&mut self, notice: String) {
        if notice != self.notice && !notice.is_empty() {
            warn!("notice from the config server: {notice}");
        }
        self.notice = notice;
    }

    fn say_idle(&mut self, ids: &GroupIds) {
        let idle = self.session.config_count() == 0;
        if idle && !self.idle_said {
            let groups: Vec<&str> = ids.user_defined_ids.iter().map(String::as_str).collect();
            info!(
                "no collection config yet for the machine group ids [{}]; waiting: bind a config to a group \
                 that has one of them",
                groups.join(", ")
            );
        }
        self.idle_said = idle;
    }

    fn say_id_problems(&mut self, ids: &GroupIds) {
        let problems = ids.problems();
        for problem in problems.iter().filter(|problem| !self.problems_said.contains(problem)) {
            warn!("{problem}");
        }
        self.problems_said = problems;
    }
}

/// Wakes the listener at the first time only.
fn tell_ready(ready: &watch::Sender<bool>) {
    ready.send_if_modified(|ready| !std::mem::replace(ready, true));
}

fn prefixed(prefix: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{prefix}{text}") }
}

/// Time until the next heartbeat. `random` is in 0..1.
fn pause(failures: u32, interval: Duration, random: f64) -> Duration {
    let wanted = match failures.checked_sub(1) {
        None => interval,
        Some(doublings) => RETRY_FIRST.saturating_mul(1 << doublings.min(16)).min(interval),
    };
    wanted.mul_f64(1.0 - JITTER + 2.0 * JITTER * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_after_failures_up_to_the_interval() {
        let seconds = |failures| pause(failures, Duration::from_secs(10), 0.5).as_secs_f64();
        assert_eq!([0, 1, 2, 3, 4, 5, 40].map(seconds), [10.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let interval = Duration::from_secs(10);
        assert_eq!(pause(0, interval, 0.0), Duration::from_secs(9));
        assert!(pause(0, interval, 0.999_999) < Duration::from_secs(11));
    }
}
