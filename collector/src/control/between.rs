//! What control does between two heartbeats: local configs, trials, and all of it put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tracing::{error, info, warn};

use super::local::{LocalConfigs, SCAN_INTERVAL, Say};
use super::session::Session;
use super::{Collect, Control};
use crate::alarm::Alarm;
use crate::pipeline::Pipeline;

/// The local configs, and those of the server that have no name of one.
fn running<'a>(local: &'a LocalConfigs, session: &'a Session) -> impl Iterator<Item = &'a Pipeline> {
    let local = local.in_force().into_values().filter_map(|(pipeline, _)| pipeline);
    local.chain(session.pipelines())
}

impl<C: Collect> Control<'_, C> {
    /// Rests until a point in time, looking after the local configs and the trials. With `may_end_early` it ends
    /// when there is news of trials to tell, and is then true.
    pub(super) async fn rest(&mut self, until: Instant, may_end_early: bool) -> bool {
        loop {
            let wake = until.min(self.scan_at);
            tokio::select! {
                () = tokio::time::sleep_until(wake.into()) => {}
                news = self.trials.news() => {
                    for news in &news {
                        match news.is_fine {
                            true => info!("config {}: {}", news.name, news.text),
                            false => warn!("config {}: {}", news.name, news.text),
                        }
                    }
                    // Configs that came meanwhile are tried now.
                    self.start_trials();
                    if may_end_early && !news.is_empty() {
                        return true;
                    }
                    continue;
                }
            }
            if Instant::now() >= self.scan_at {
                if self.scan() {
                    self.apply();
                } else {
                    self.start_trials();
                }
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// Looks at the local configs; true if other ones are to run now.
    pub(super) fn scan(&mut self) -> bool {
        let (changed, says) = self.local.scan(self.instance);
        for say in says {
            match say {
                Say::Info(text) => info!("{text}"),
                Say::Warn(text) => warn!("{text}"),
                Say::Error(text) => {
                    error!("{text}");
                    let alarms = &self.collect.board().alarms;
                    alarms.raise(Alarm::UserConfig, "local", &Arc::default(), 1, || text);
                }
            }
        }
        let in_force = self.local.in_force().into_iter();
        let names = in_force.map(|(name, (_, file))| (name.to_owned(), file.display().to_string()));
        self.session.shadow(names.collect());
        self.scan_at = Instant::now() + SCAN_INTERVAL;
        changed
    }

    /// Has what is in force collect, and tried if it is new.
    pub(super) fn apply(&mut self) {
        self.start_trials();
        self.collect.apply(self.running().cloned().collect());
        let board = self.collect.board();
        let gauges = &board.gauges;
        if self.collects() || gauges.config_updates.load(Ordering::Relaxed) > 0 {
            gauges.config_updates.fetch_add(1, Ordering::Relaxed);
            let second = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
            gauges.last_config_update.store(second, Ordering::Relaxed);
        }
    }

    fn start_trials(&mut self) {
        self.trials.start(running(&self.local, &self.session), &self.collect.reading());
    }

    /// See [`running`].
    pub(super) fn running(&self) -> impl Iterator<Item = &Pipeline> {
        running(&self.local, &self.session)
    }

    /// Whether anything is to be collected.
    pub(super) fn collects(&self) -> bool {
        self.running().next().is_some()
    }

    /// What is to be told of configs that run: how they were tried, and what is wrong at the moment.
    pub(super) fn remarks(&self) -> BTreeMap<String, String> {
        let mut remarks = self.trials.remarks();
        for (name, trouble) in self.collect.troubles() {
            let remark = remarks.entry(name).or_default();
            if !remark.is_empty() {
                remark.push_str("; ");
            }
            remark.push_str(&trouble);
        }
        remarks
    }

    pub(super) fn write_received(&mut self) {
        if let Err(error) = self.received.write() {
            let path = self.received.path().display();
            warn!("{path} cannot be written ({error}); it only shows what the server sent");
        }
    }

    /// There is nobody to ask for configs.
    pub(super) fn say_no_server(&self) {
        let path = self.instance.path.display();
        let remedy = format!(
            "Put {{\"config_server_list\": [{{\"cluster\": \"…\", \"endpoint_list\": [\"host:port\"]}}]}} into \
             {path}; the file is looked at again every {} s",
            crate::service::CONFIG_RECHECK.as_secs(),
        );
        let local = self.local.in_force().len();
        if local > 0 {
            info!(
                "no config server is named: local configs alone are collected ({local}). For a server: {remedy}"
            );
            return;
        }
        let holding = match self.session.config_count() {
            0 => "Nothing is collected until then".to_owned(),
            stored => format!("{stored} stored configs go on collecting"),
        };
        error!(
            "no config server: the vendor's own config channel is not public, so this collector must be told \
             a server of the open agent protocol, or have local configs (/usr/local/ilogtail/config/local). {remedy}. {holding}"
        );
    }
}
