//! Watches AliyunLogConfigs and looks at each one when it changes, when its last look failed, and from
//! time to time. This is the shell: it owns the clients, the clock and the random numbers. What happens
//! during a look is in [`reconcile`].

mod agents;
mod memory;
pub mod reconcile;
mod release;
mod trigger;
mod wake;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, applier};
use kube::runtime::reflector::{self, reflector};
use kube::runtime::{WatchStreamExt, watcher};

use crate::crd::AliyunLogConfig;
use crate::http::Readiness;
use crate::leader::{self, Leadership, Lost};
use crate::metrics::Metrics;
use crate::notices::Publisher;
use crate::retry::Waits;
use crate::sls::Clients;
use crate::survey::Surveys;
use crate::text::innermost;
use crate::validate::Defaults;
use memory::{Cause, Memories};
use reconcile::{Context, error_policy, reconcile};
use wake::Waker;

/// An object that may be of the wrong shape: one such object must not stop the watch.
pub type Guarded = DeserializeGuard<AliyunLogConfig>;

/// Objects looked at at the same time. Source: guess; a slow backend then delays few others.
const CONCURRENT_LOOKS_MAX: u16 = 16;
/// First wait between tries to see the CRD.
const CRD_WAIT_MIN: Duration = Duration::from_millis(200);
/// Longest wait between tries to see the CRD.
const CRD_WAIT_MAX: Duration = Duration::from_secs(5);
/// Time for running looks to finish at the end. Source: guess; below Kubernetes' default grace of 30 s.
const FINISH_MAX: Duration = Duration::from_secs(20);
/// How often the credentials are read again. Source: guess; kubelet needs up to a minute to update a
/// mounted Secret, so this adds little.
const CREDENTIALS_CHECK: Duration = Duration::from_secs(5);

/// How one operator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace to watch; all when `None`.
    pub namespace: Option<String>,
    /// What is filled into objects.
    pub defaults: Defaults,
    /// When to look again.
    pub waits: Waits,
    /// Name under which events are published, for example the operator's Pod.
    pub instance: Option<String>,
    /// The Lease to hold while working; `None` works at once, beside nobody. The fence of the clients must be shut
    /// then.
    pub leader: Option<leader::Settings>,
    /// How often Log Service is asked who collects and whether logs arrive; `None` never, and then objects do not
    /// tell.
    pub agents: Option<Duration>,
}

/// Runs until `shutdown`. Nothing that happens in Kubernetes or Log Service ends it.
///
/// # Errors
/// The Lease is lost: another operator works now. The process must end, since it may have begun things.
pub async fn run(
    kube: Client,
    clients: Clients,
    settings: Settings,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Lost> {
    let shutdown = shutdown.shared();
    let objects: Api<AliyunLogConfig> = match &settings.namespace {
        Some(namespace) => Api::namespaced(kube.clone(), namespace),
        None => Api::all(kube.clone()),
    };
    tokio::select! {
        () = wait_for_crd(&objects) => {}
        () = shutdown.clone() => return Ok(()),
    }

    let guarded: Api<Guarded> = match &settings.namespace {
        Some(namespace) => Api::namespaced(kube.clone(), namespace),
        None => Api::all(kube.clone()),
    };
    let mut leadership = settings
        .leader
        .clone()
        .map(|leader| Leadership::new(kube.clone(), leader, clients.fence().clone(), Arc::clone(&metrics)));
    match &mut leadership {
        Some(leadership) => tokio::select! {
            () = leadership.acquire() => {}
            () = stand_by(guarded.clone(), &readiness, &metrics) => {}
            () = shutdown.clone() => return Ok(()),
        },
        None => metrics.leads(true),
    }
    let (store, writer) = reflector::store::<Guarded>();
    let memories = Arc::new(Memories::default());
    let (waker, wakes) = wake::channel();
    let context = Arc::new(Context {
        publisher: Publisher::new(kube.clone(), settings.instance, Arc::clone(&metrics)),
        kube,
        clients,
        defaults: settings.defaults.clone(),
        surveys: Surveys::new(settings.waits.resync),
        waits: settings.waits,
        store: store.clone(),
        memories: Arc::clone(&memories),
        agents: agents::Agents::new(settings.agents),
        metrics: Arc::clone(&metrics),
    });

    let watch_metrics = Arc::clone(&metrics);
    let events = reflector(writer, watcher(guarded, watcher::Config::default())).default_backoff().inspect(
        move |event| {
            if event.is_err() {
                watch_metrics.watch_failed();
            }
        },
    );
    let forget = move |uid: &str| memories.forget(uid);
    let triggers = trigger::triggers(events, settings.defaults, forget);
    let queue = stream::select(triggers, wakes).take_until(shutdown.clone());

    let config = controller::Config::default().concurrency(CONCURRENT_LOOKS_MAX);
    let looks = applier(
        |object, context| reconcile(object, context).boxed(),
        error_policy,
        Arc::clone(&context),
        store.clone(),
        queue,
        config,
    )
    .for_each(|result| async {
        if let Err(error) = result {
            report(&error);
        }
    });
    let announce = async {
        if store.wait_until_ready().await.is_ok() {
            readiness.set();
            tracing::info!("watching AliyunLogConfigs");
        }
        std::future::pending::<()>().await
    };
    let finish = async {
        shutdown.clone().await;
        tracing::info!("finishing");
        tokio::time::sleep(FINISH_MAX).await;
        tracing::warn!("gave up on looks that did not finish within {} s", FINISH_MAX.as_secs());
    };
    let lost = async {
        match &mut leadership {
            Some(leadership) => leadership.keep().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = looks => {}
        () = announce => {}
        () = watch_credentials(&context, &waker) => {}
        () = wake::when_endpoints_answer(&context, &waker) => {}
        () = agents::watch(&context, &waker) => {}
        () = finish => {}
        lost = lost => return Err(lost),
    }
    // Only now: nothing is under way any more.
    if let Some(leadership) = &mut leadership {
        leadership.release().await;
    }
    Ok(())
}

/// Watches as the leader does, so that what would keep this operator from working shows before it must. Never returns.
async fn stand_by(objects: Api<Guarded>, readiness: &Readiness, metrics: &Metrics) {
    let mut events = std::pin::pin!(watcher(objects, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::InitDone) => readiness.set(),
            Ok(_) => {}
            Err(error) => {
                metrics.watch_failed();
                tracing::warn!(%error, "the watch on AliyunLogConfigs failed, it is established again");
            }
        }
    }
    std::future::pending().await
}

/// Something that the queue of looks could not do; the objects themselves tell what concerns them.
fn report(error: &controller::Error<reconcile::Error, watcher::Error>) {
    match error {
        // The object was deleted while it waited for its turn.
        controller::Error::ObjectNotFound(_) => {}
        controller::Error::ReconcilerFailed(reconcile::Error::NotDeleted { .. }, _) => {}
        // It ends in a moment, and says so.
        controller::Error::ReconcilerFailed(reconcile::Error::NotLeading, _) => {}
        controller::Error::ReconcilerFailed(error, object) => {
            tracing::warn!(%error, object = %object, "look failed, it is tried again");
        }
        controller::Error::QueueError(error) => {
            tracing::warn!(%error, "the watch on AliyunLogConfigs failed, it is established again");
        }
        controller::Error::RunnerError(error) => tracing::error!(%error, "the queue of looks failed"),
    }
}

/// Returns when AliyunLogConfigs can be listed. Says why not when the reason changes.
async fn wait_for_crd(objects: &Api<AliyunLogConfig>) {
    let mut wait = CRD_WAIT_MIN;
    let mut told = String::new();
    loop {
        let reason = match objects.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                "the CRD is not installed; install it with `operator crd | kubectl apply -f -`".to_owned()
            }
            Err(kube::Error::Api(status)) if status.code == 401 || status.code == 403 => {
                format!(
                    "listing aliyunlogconfigs is not allowed: {}; check the operator's ClusterRole",
                    status.message
                )
            }
            Err(error) => format!("the Kubernetes API cannot be used: {}", innermost(&error)),
        };
        if reason != told {
            tracing::warn!("waiting: {reason}");
            told = reason;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(CRD_WAIT_MAX);
    }
}

/// Reads the credentials now and then; new ones get every object that waits for them another look.
async fn watch_credentials(context: &Context, waker: &Waker) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(CREDENTIALS_CHECK).await;
        match context.clients.reload_credentials() {
            Ok(true) => {
                tracing::info!("credentials have changed");
                told.clear();
                wake::all(context, waker, &Cause::Credentials).await;
            }
            Ok(false) => told.clear(),
            Err(error) if error.to_string() != told => {
                told = error.to_string();
                tracing::warn!("the credentials in use stay, because {told}");
            }
            Err(_) => {}
        }
    }
}
