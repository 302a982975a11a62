//! The foreground process: the only place that wires control and data and handles signals.
//!
//! Life: read the start parameters → claim the pid file → engine and control → SIGTERM, a tombstone or the
//! end of all work → drain → account → exit code. Everything runs on one thread, so that a main loop that hangs stops the beat that
//! `status` looks at. Called by `cli`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::app_info;
use crate::control::{Agent, Collect, Control, RemoteConfigs};
use crate::diagnostics::{self, Diagnostics, Intervals};
use crate::engine::Limits;
use crate::env::Env;
use crate::identity::{GroupIds, Host, Instance, address_of_interface};
use crate::instance_config::{ConfigError, DiagnosticLogs, HostPort, InstanceConfig};
use crate::layout::{BEAT_INTERVAL, Home, Layout, Phase, PidFile, STATE_DIR_DEFAULT, StateDir};
use crate::logging;
use crate::tags;

mod account;
mod config_file;
mod data;
mod ending;
mod file_tags;
mod probe;
mod status_log;
mod tasksite;
mod vitals;

use config_file::{names_a_server, read_config};
use data::Data;
use ending::{DRAIN_SLACK, Ending, StopSignals, end};
use file_tags::FileTags;
use status_log::About;
use vitals::Vitals;

/// Time between two looks at the config file while it names no config server. Source: own choice.
pub const CONFIG_RECHECK: Duration = Duration::from_secs(10);

/// Exit codes, documented in `cli`.
const FAILED: u8 = 1;
const NOT_DELIVERED: u8 = 4;
const BAD_CONFIG: u8 = 78;
const INTERRUPTED: u8 = 130;

/// What the command line decides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Longest time to drain; wins over the config.
    pub grace: Option<Duration>,
    /// Directory of `cornerstone` and `tombstone`; wins over the config.
    pub tasksite: Option<PathBuf>,
    /// This process was started in the background by `initd`.
    pub daemon: bool,
}

/// Runs until a signal, or until the application has done its work; the value is the exit code.
pub fn run(env: Env, options: Options) -> ExitCode {
    ExitCode::from(try_run(&env, &options).unwrap_or_else(|failure| {
        error!("{}", failure.text);
        account::give_failure(
            &failure.text,
            account::termination_log(None, &Layout::new(env.path_prefix())).as_deref(),
        );
        if options.daemon {
            // For `start`, which shows it; the log file has it already.
            eprintln!("{}", failure.text);
        }
        failure.code
    }))
}

/// Why the process ends before it ran.
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(text: impl ToString) -> Self {
        Self { code: FAILED, text: text.to_string() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { code: BAD_CONFIG, text: error.to_string() }
    }
}

/// Things that live as long as the process.
struct Process<'a> {
    env: &'a Env,
    options: &'a Options,
    layout: Layout,
    home: Home,
    /// Unix seconds.
    startup_time: i64,
    /// Becomes true when a thread or task has panicked.
    panicked: watch::Receiver<bool>,
}

fn try_run(env: &Env, options: &Options) -> Result<u8, Failure> {
    if options.daemon {
        // A process that leads a session already (the first of a container) stays in it.
        let _ = rustix::process::setsid();
    }
    let layout = Layout::new(env.path_prefix());
    let home = layout.open_home();
    start_logging(env, options, home.as_ref().ok());
    let home = home.map_err(Failure::new)?;
    let _pid_file = PidFile::claim(&home.pid_file()).map_err(Failure::new)?;
    let mut vitals = Vitals::open(home.run_state())?;
    let panicked = watch_for_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let startup_time = jiff::Timestamp::now().as_second();
    let process = Process { env, options, layout, home, startup_time, panicked };
    let code = runtime.block_on(process.live(&mut vitals));
    // A name lookup may still hang in a thread; nobody waits for its answer.
    runtime.shutdown_background();
    code
}

/// Panics go to the log, and end the process: a collector that only seems to run loses lines.
fn watch_for_panics() -> watch::Receiver<bool> {
    let (tell, panicked) = watch::channel(false);
    std::panic::set_hook(Box::new(move |panic| {
        error!("internal error: {panic}");
        tell.send_replace(true);
    }));
    panicked
}

fn start_logging(env: &Env, options: &Options, home: Option<&Home>) {
    let level = env.log_level();
    let effective = *level.as_ref().unwrap_or(&tracing::level_filters::LevelFilter::INFO);
    let file = home.map(Home::log);
    if let Err(error) = logging::init(effective, file.as_deref(), !options.daemon) {
        warn!("no log file: {error}; logging to standard error only");
    }
    if let Err(word) = level {
        warn!("LOGTAIL_LOG_LEVEL {word:?} is not a level; use trace, debug, info, warn or error. Using info");
    }
}

impl Process<'_> {
    /// Lives with one config after the other; the value is the exit code.
    async fn live(&self, vitals: &mut Vitals) -> Result<u8, Failure> {
        let mut stop = StopSignals::new().map_err(Failure::new)?;
        info!("collector {} starts as process {}", app_info::VERSION, std::process::id());
        loop {
            let instance = read_config(self.env, &self.layout)?;
            for notice in &instance.notices {
                warn!("{notice}");
            }
            let grace = self.options.grace.unwrap_or(instance.grace);
            let termination_log =
                account::termination_log(instance.life.termination_log.as_deref(), &self.layout);
            vitals.set_grace(grace);
            let state_dir = self.open_state_dir(&instance)?;
            let (host, identity) = self.identify(&instance, &state_dir);
            let store = self.open_store(&state_dir)?;
            let file_tags = self.env.file_tags().map(|path| {
                let on_disk = self.layout.on_disk(&path);
                FileTags::open(path, on_disk)
            });
            let tags = file_tags.as_ref().map_or(&[][..], FileTags::tags);
            let data = Data::start(self.env, &self.layout, &instance, &state_dir, &host, &identity, tags)
                .map_err(Failure::new)?;
            let _probes = match instance.life.probe_port {
                Some(port) => probe::Probes::serve(port, data.view()).await,
                None => None,
            };
            let about = self.about(&instance, &host, &identity);
            let (tell_status, status) = watch::channel(None);
            let diagnostics = self.diagnostics(&instance, &data, &about, status);
            let agent = Agent {
                instance_id: identity.instance_id,
                ip: host.ip.to_string(),
                hostname: host.hostname,
                startup_time: self.startup_time,
                tags: instance.agent_tags.clone(),
            };
            let received = self.home.received_configs();
            let control = Control::new(agent, self.env, &self.layout, &instance, store, received, &data);
            let ending = match self
                .collect(control, &instance, &data, (file_tags, about, tell_status), vitals, &mut stop)
                .await
            {
                End::Stop(ending) => ending,
                End::Broken => {
                    std::mem::forget(data);
                    return Err(Failure::new(
                        "a part of the collector has failed, see above; ending so that it is started anew \
                         and goes on at the last acknowledged positions",
                    ));
                }
                End::Reload => {
                    info!("{} names a config server now", instance.path.display());
                    data.hand_over(Instant::now() + DRAIN_SLACK).await;
                    continue;
                }
            };
            let code =
                end(&data, diagnostics, ending, grace, vitals, &mut stop, termination_log.as_deref()).await;
            vitals.enter(if code == 0 { Phase::Delivered } else { Phase::Undelivered });
            if code != 0 {
                // Its thread may hang; the end of the process ends it.
                std::mem::forget(data);
            }
            return Ok(code);
        }
    }

    /// Collects until a signal comes, or until a config without config server has become better.
    async fn collect(
        &self,
        control: Control<'_, Data>,
        instance: &InstanceConfig,
        data: &Data,
        (file_tags, about, tell_status): (Option<FileTags>, About, watch::Sender<Option<Value>>),
        vitals: &mut Vitals,
        stop: &mut StopSignals,
    ) -> End {
        let (ready, mut became_ready) = watch::channel(false);
        let mut conversation = std::pin::pin!(control.run(ready));
        let mut finished = std::pin::pin!(self.finished(instance, data));
        let mut tags = std::pin::pin!(async {
            match file_tags {
                Some(file_tags) => file_tags.follow(data).await,
                None => std::future::pending().await,
            }
        });
        let status_file = self.home.status_log();
        let mut status = std::pin::pin!(status_log::write(&status_file, about, data.board(), tell_status));
        let mut beat = tokio::time::interval(BEAT_INTERVAL);
        let mut recheck = tokio::time::interval(CONFIG_RECHECK);
        let mut panicked = self.panicked.clone();
        loop {
            tokio::select! {
                biased;
                ending = stop.next() => return End::Stop(ending),
                _ = panicked.wait_for(|panicked| *panicked) => return End::Broken,
                ending = &mut finished => return End::Stop(ending),
                never = &mut conversation => match never {},
                never = &mut tags => match never {},
                never = &mut status => match never {},
                Ok(()) = became_ready.changed() => vitals.enter(Phase::Ready),
                _ = beat.tick() => vitals.beat(),
                _ = recheck.tick(), if instance.config_servers.is_empty() => {
                    if names_a_server(self.env, &self.layout) {
                        return End::Reload;
                    }
                }
            }
        }
    }

    /// Tells the service of the collector, unless it is not to. `status` has the lines of the status.
    fn diagnostics(
        &self,
        instance: &InstanceConfig,
        data: &Data,
        about: &About,
        status: watch::Receiver<Option<Value>>,
    ) -> Option<Diagnostics> {
        let mode = instance.diagnostic_logs;
        let host = tags::Host {
            source_ip: about.ip.clone(),
            hostname: about.hostname.clone(),
            user_defined_id: about.user_defined_id.clone(),
            env_tags: self.env.env_tags(),
            file_tags: Vec::new(),
            machine_uuid: about.uuid.clone(),
        };
        let settings = diagnostics::Settings { mode, intervals: Intervals::default(), host };
        (mode != DiagnosticLogs::Never)
            .then(|| Diagnostics::start(settings, data.view(), data.clients(), status))
    }

    /// Returns when the application has ended, if it is known how to tell.
    async fn finished(&self, instance: &InstanceConfig, data: &Data) -> Ending {
        let life = &instance.life;
        let site = self.options.tasksite.as_deref().or(life.tasksite.as_deref());
        let tombstone = async {
            let Some(site) = site.map(|site| self.layout.on_disk(site)) else {
                return std::future::pending().await;
            };
            data.ready().await;
            tasksite::lay_cornerstone(&site).await;
            tasksite::find_tombstone(&site).await;
        };
        let idle = async {
            // Whoever makes a tombstone, or has started this by the init script, ends it.
            let somebody_ends_it = site.is_some() || self.options.daemon;
            let quiet = life.exit_after_quiet.filter(|_| life.exit_is_asked || !somebody_ends_it);
            let Some(quiet) = quiet else { return std::future::pending().await };
            info!(
                "the collector ends by itself when nobody writes any more and nothing new came for {quiet:?}"
            );
            data.idle(quiet).await;
        };
        tokio::select! {
            () = tombstone => Ending::Tombstone,
            () = idle => Ending::Idle,
        }
    }

    fn open_state_dir(&self, instance: &InstanceConfig) -> Result<StateDir, Failure> {
        let configured = instance.check_point_path.as_deref();
        let shared = instance.shared_state_path.as_deref();
        let state_dir = self.layout.open_state_dir(configured, shared).map_err(|error| {
            Failure::new(format!(
                "no directory for read positions: {STATE_DIR_DEFAULT} cannot be used: {error}; or set \
                 check_point_path to a directory on a volume of the pod"
            ))
        })?;
        for notice in &state_dir.notices {
            warn!("{notice}");
        }
        Ok(state_dir)
    }

    /// Who this is; also written to `app_info.json`.
    fn identify(&self, instance: &InstanceConfig, state_dir: &StateDir) -> (Host, Instance) {
        let peer = instance.config_servers.first().map(HostPort::as_str);
        let hostname = instance.working_hostname.as_deref();
        let of_interface = || address_of_interface(instance.bind_interface.as_deref()?);
        let ip = instance.working_ip.or_else(of_interface);
        let host = Host::detect(self.env, &self.layout, ip, hostname, peer);
        let (identity, unsaved) = Instance::load_or_create(&state_dir.path, &host.hostname);
        if let Some(error) = unsaved {
            warn!(
                "the instance id cannot be stored in {} ({error}); a restart gets a new one",
                state_dir.path.display()
            );
        }
        info!("address {}, host name {}, instance id {}", host.ip, host.hostname, identity.instance_id);
        let app_info = self.home.app_info();
        if let Err(error) = app_info::write(&app_info, &host, &identity, &jiff::Zoned::now()) {
            warn!("{} cannot be written: {error}", app_info.display());
        }
        (host, identity)
    }

    fn about(&self, instance: &InstanceConfig, host: &Host, identity: &Instance) -> About {
        let ids = GroupIds::read(self.env, &self.layout).user_defined_ids;
        About {
            hostname: host.hostname.clone(),
            instance_id: identity.instance_id.clone(),
            ip: host.ip.to_string(),
            uuid: identity.uuid.clone(),
            user_defined_id: ids.into_iter().collect::<Vec<_>>().join(","),
            region: instance.place.as_ref().map(|place| place.region.clone()).unwrap_or_default(),
            send_request_concurrency: instance.send_concurrency.unwrap_or(Limits::default().lane_concurrency),
            startup_time: self.startup_time,
            env_tags: self.env.env_tags().into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// Beside the positions if those outlive the container, else where the vendor's agent has them.
    fn open_store(&self, state_dir: &StateDir) -> Result<RemoteConfigs, Failure> {
        let base = if state_dir.volatile { self.home.directory() } else { &state_dir.path };
        let directory = base.join("config/remote");
        RemoteConfigs::open(directory.clone())
            .map_err(|error| Failure::new(format!("{} cannot be created: {error}", directory.display())))
    }
}

/// Why collecting with one config ended.
enum End {
    /// The config file names a config server now.
    Reload,
    Stop(Ending),
    /// A thread or task has panicked: what it did is not done any more.
    Broken,
}
