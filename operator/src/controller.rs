//! Watches AliyunLogConfigs and looks at each one when it changes, when its last look failed, and from
//! time to time. This is the shell: it owns the clients, the clock and the random numbers. What happens
//! during a look is in [`reconcile`].

mod agents;
mod memory;
pub mod reconcile;
mod release;
mod rest;
mod trigger;
mod wake;
mod written;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, stream};
use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, ReconcileRequest, applier};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, Store, reflector};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::{broadcast, watch};

use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use crate::desired::Target;
use crate::http::Readiness;
use crate::kind::ConfigKind;
use crate::leader::{self, Leadership, Lost};
use crate::metrics::Metrics;
use crate::notices::Publisher;
use crate::retry::Waits;
use crate::sls::Clients;
use crate::survey::Surveys;
use crate::text::innermost;
use crate::validate::Defaults;
use memory::Cause;
use reconcile::{Context, Stores, error_policy, reconcile};
use wake::Side;

/// An object that may be of the wrong shape: one such object must not stop the watch.
pub type Guarded<K = AliyunLogConfig> = DeserializeGuard<K>;

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
/// How often it is looked whether there is the newer kind, while there is not. Source: guess.
const PIPELINES_CHECK: Duration = Duration::from_secs(10);
/// Changes of claims that the other kind may be behind; when there are more it looks at all of its own.
const CLAIMS_MAX: usize = 256;

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
    let (pipeline_store, pipeline_writer) = reflector::store::<Guarded<ClusterAliyunPipelineConfig>>();
    // Of one namespace only: what belongs to the cluster is not this operator's.
    let (tell_pipelines, pipelines_known) = watch::channel(settings.namespace.is_some());
    let common = Common {
        kube: kube.clone(),
        clients: Arc::new(clients),
        publisher: Publisher::new(kube.clone(), settings.instance.clone(), Arc::clone(&metrics)),
        stores: Stores { classic: store.clone(), pipelines: pipeline_store.clone(), pipelines_known },
        surveys: Arc::new(Surveys::new(settings.waits.resync)),
        metrics: Arc::clone(&metrics),
        settings: settings.clone(),
    };
    let (classic_changes, of_classic) = broadcast::channel(CLAIMS_MAX);
    let (pipeline_changes, of_pipelines) = broadcast::channel(CLAIMS_MAX);
    let (waker, wakes) = wake::channel();
    let context = Arc::new(common.context(store.clone()));
    let looks = look_at_all(Arc::clone(&context), guarded, writer, wakes, classic_changes, shutdown.clone());

    let (pipeline_waker, pipeline_wakes) = wake::channel();
    let pipeline_context = Arc::new(common.context(pipeline_store));
    let pipelines = look_at_pipelines(
        Arc::clone(&pipeline_context),
        pipeline_writer,
        pipeline_wakes,
        pipeline_changes,
        tell_pipelines,
        shutdown.clone(),
    );
    let classic_side = Side { context: &context, waker: &waker };
    let pipeline_side = Side { context: &pipeline_context, waker: &pipeline_waker };

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
        ((), ()) = async { tokio::join!(looks, pipelines) } => {}
        () = announce => {}
        () = watch_credentials(&classic_side, &pipeline_side) => {}
        () = wake::when_endpoints_answer(&classic_side, &pipeline_side) => {}
        () = classic_side.when_claims_change(of_pipelines) => {}
        () = pipeline_side.when_claims_change(of_classic) => {}
        () = agents::watch(&context, &waker) => {}
        () = agents::watch(&pipeline_context, &pipeline_waker) => {}
        () = finish => {}
        lost = lost => return Err(lost),
    }
    // Only now: nothing is under way any more.
    if let Some(leadership) = &mut leadership {
        leadership.release().await;
    }
    Ok(())
}

/// What looks at both kinds of objects share.
struct Common {
    kube: Client,
    clients: Arc<Clients>,
    publisher: Publisher,
    stores: Stores,
    surveys: Arc<Surveys>,
    metrics: Arc<Metrics>,
    settings: Settings,
}

impl Common {
    fn context<K: ConfigKind>(&self, store: Store<Guarded<K>>) -> Context<K> {
        Context {
            kube: self.kube.clone(),
            clients: Arc::clone(&self.clients),
            defaults: self.settings.defaults.clone(),
            surveys: Arc::clone(&self.surveys),
            waits: self.settings.waits,
            store,
            stores: self.stores.clone(),
            memories: Arc::default(),
            agents: agents::Agents::new(self.settings.agents),
            metrics: Arc::clone(&self.metrics),
            publisher: self.publisher.clone(),
        }
    }
}

/// Looks at all objects of a kind until `shutdown`.
async fn look_at_all<K: ConfigKind>(
    context: Arc<Context<K>>,
    objects: Api<Guarded<K>>,
    writer: Writer<Guarded<K>>,
    wakes: impl Stream<Item = Result<ReconcileRequest<Guarded<K>>, watcher::Error>> + Send + 'static,
    claims: broadcast::Sender<Target>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let metrics = Arc::clone(&context.metrics);
    let events = reflector(writer, watcher(objects, watcher::Config::default())).default_backoff().inspect(
        move |event| {
            if event.is_err() {
                metrics.watch_failed();
            }
        },
    );
    let memories = Arc::clone(&context.memories);
    let forget = move |uid: &str| memories.forget(uid);
    // Nobody may listen: at the end.
    let tell = move |target: &Target| drop(claims.send(target.clone()));
    let triggers = trigger::triggers(events, context.defaults.clone(), forget, tell);
    let queue = stream::select(triggers, wakes).take_until(shutdown);
    let config = controller::Config::default().concurrency(CONCURRENT_LOOKS_MAX);
    let store = context.store.clone();
    applier(
        |object, context| reconcile(object, context).boxed(),
        error_policy,
        context,
        store,
        queue,
        config,
    )
    .for_each(|result| async {
        if let Err(error) = result {
            report::<K>(&error);
        }
    })
    .await;
}

/// The same for the newer kind, once there is one: a cluster need not have it. Tells when it is known which objects of
/// it there are; where that is known at the beginning, there are none to look at.
async fn look_at_pipelines(
    context: Arc<Context<ClusterAliyunPipelineConfig>>,
    writer: Writer<Guarded<ClusterAliyunPipelineConfig>>,
    wakes: impl Stream<Item = Result<ReconcileRequest<Guarded<ClusterAliyunPipelineConfig>>, watcher::Error>>
    + Send
    + 'static,
    claims: broadcast::Sender<Target>,
    known: watch::Sender<bool>,
    shutdown: impl Future<Output = ()> + Clone + Send + 'static,
) {
    if *known.borrow() {
        return shutdown.await;
    }
    let objects: Api<ClusterAliyunPipelineConfig> = Api::all(context.kube.clone());
    tokio::select! {
        () = wait_for_pipelines(&objects, &known) => {}
        () = shutdown.clone() => return,
    }
    tracing::info!("watching ClusterAliyunPipelineConfigs");
    let guarded = Api::all(context.kube.clone());
    let store = context.store.clone();
    let all = look_at_all(context, guarded, writer, wakes, claims, shutdown);
    let announce = async move {
        if store.wait_until_ready().await.is_ok() {
            known.send_replace(true);
        }
    };
    tokio::join!(all, announce);
}

/// Returns when ClusterAliyunPipelineConfigs can be listed; `known` is told when they cannot be.
async fn wait_for_pipelines(objects: &Api<ClusterAliyunPipelineConfig>, known: &watch::Sender<bool>) {
    let mut wait = CRD_WAIT_MIN;
    loop {
        match objects.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403 | 404) => {
                if !known.send_replace(true) && status.code != 404 {
                    tracing::warn!(
                        "ClusterAliyunPipelineConfigs are left alone, since listing them is not allowed: {}",
                        status.message
                    );
                }
                wait = PIPELINES_CHECK;
            }
            Err(error) => {
                let error = innermost(&error);
                tracing::warn!(%error, "no object is looked at before ClusterAliyunPipelineConfigs are known");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(PIPELINES_CHECK);
    }
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
fn report<K: ConfigKind>(error: &controller::Error<reconcile::Error, watcher::Error>) {
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
            tracing::warn!(%error, "the watch on {}s failed, it is established again", K::KIND);
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
async fn watch_credentials(
    classic: &Side<'_, AliyunLogConfig>,
    pipelines: &Side<'_, ClusterAliyunPipelineConfig>,
) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(CREDENTIALS_CHECK).await;
        match classic.context.clients.reload_credentials() {
            Ok(true) => {
                tracing::info!("credentials have changed");
                told.clear();
                classic.wake_all(&Cause::Credentials).await;
                pipelines.wake_all(&Cause::Credentials).await;
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
