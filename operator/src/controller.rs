//! Watches AliyunLogConfigs and looks at each one when it changes, when its last look failed, and from
//! time to time. This is the shell: it owns the clients, the clock and the random numbers. What happens
//! during a look is in [`reconcile`].

mod memory;
pub mod reconcile;
mod release;
mod trigger;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, stream};
use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, ReconcileReason, ReconcileRequest, applier};
use kube::runtime::reflector::{self, reflector};
use kube::runtime::{WatchStreamExt, watcher};

use crate::crd::AliyunLogConfig;
use crate::failure::Class;
use crate::http::Readiness;
use crate::metrics::Metrics;
use crate::notices::Publisher;
use crate::retry::Waits;
use crate::sls::Clients;
use crate::text::innermost;
use crate::validate::Defaults;
use memory::Memories;
use reconcile::{Context, error_policy, reconcile};

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
}

/// Runs until `shutdown`. Nothing that happens in Kubernetes or Log Service ends it.
pub async fn run(
    kube: Client,
    clients: Clients,
    settings: Settings,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let shutdown = shutdown.shared();
    let objects: Api<AliyunLogConfig> = match &settings.namespace {
        Some(namespace) => Api::namespaced(kube.clone(), namespace),
        None => Api::all(kube.clone()),
    };
    tokio::select! {
        () = wait_for_crd(&objects) => {}
        () = shutdown.clone() => return,
    }

    let guarded: Api<Guarded> = match &settings.namespace {
        Some(namespace) => Api::namespaced(kube.clone(), namespace),
        None => Api::all(kube.clone()),
    };
    let (store, writer) = reflector::store::<Guarded>();
    let memories = Arc::new(Memories::default());
    let (waker, wakes) = wake_channel(Arc::clone(&memories));
    let context = Arc::new(Context {
        publisher: Publisher::new(kube.clone(), settings.instance),
        kube,
        clients,
        defaults: settings.defaults.clone(),
        waits: settings.waits,
        store: store.clone(),
        memories: Arc::clone(&memories),
        metrics: Arc::clone(&metrics),
        waker,
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
    tokio::select! {
        () = looks => {}
        () = announce => {}
        () = watch_credentials(&context) => {}
        () = finish => {}
    }
}

/// Something that the queue of looks could not do; the objects themselves tell what concerns them.
fn report(error: &controller::Error<reconcile::Error, watcher::Error>) {
    match error {
        // The object was deleted while it waited for its turn.
        controller::Error::ObjectNotFound(_) => {}
        controller::Error::ReconcilerFailed(reconcile::Error::NotDeleted { .. }, _) => {}
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
async fn watch_credentials(context: &Context) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(CREDENTIALS_CHECK).await;
        match context.clients.reload_credentials() {
            Ok(true) => {
                tracing::info!("credentials have changed");
                context.waker.wake(Class::Auth);
                told.clear();
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

/// Asks for a look at all objects that wait because of one cause.
pub struct Waker {
    sender: tokio::sync::mpsc::Sender<Class>,
}

impl Waker {
    /// The cause has passed. Never waits: when the channel is full, as many wakes are on their way.
    pub fn wake(&self, class: Class) {
        let _ = self.sender.try_send(class);
    }
}

/// Wakes that may be on their way at the same time; each takes all objects that wait.
const WAKES_MAX: usize = 8;

fn wake_channel(
    memories: Arc<Memories>,
) -> (Waker, impl Stream<Item = Result<ReconcileRequest<Guarded>, watcher::Error>> + Send) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Class>(WAKES_MAX);
    let classes = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|class| (class, receiver))
    });
    let requests = classes.flat_map(move |class| {
        let reason = || ReconcileReason::Custom { reason: format!("{} has passed", class.name()) };
        let wanted = memories.wake(class);
        let requests = wanted.into_iter().map(|obj_ref| Ok(ReconcileRequest { obj_ref, reason: reason() }));
        stream::iter(requests.collect::<Vec<_>>())
    });
    (Waker { sender }, requests)
}
