//! A place in a real cluster: a namespace of its own, and the CRD. All of it goes again.
//!
//! There is one CRD of the name in a cluster. Beds that need the operator's share it; a bed that needs
//! none, or another, waits until it has the cluster to itself. A CRD that these tests did not make is
//! never touched: whoever installed it has objects of that kind.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, ResourceExt};
use operator::crd::AliyunLogConfig;
use serde_json::json;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::eventually;

/// Label of everything that these tests make outside of a namespace of theirs.
pub const MADE_BY: (&str, &str) = ("sls.testbed/made-by", "operator-tests");
/// Name of the CRD.
pub const CRD: &str = "aliyunlogconfigs.log.alibabacloud.com";

/// The one CRD: shared by beds that read it, taken by a bed that changes it.
static DEFINITION: RwLock<()> = RwLock::const_new(());
/// Beds that share the CRD now; the first installs it, the last removes it.
static SHARING: Mutex<usize> = Mutex::const_new(0);

pub struct Place {
    kubeconfig: Kubeconfig,
    config: kube::Config,
    namespace: String,
    hold: Hold,
}

/// What the place may do with the CRD, until it is dropped.
enum Hold {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Place {
    /// Takes a new namespace of the cluster that the environment names.
    pub async fn take(crd: bool) -> Self {
        let place = Self::reserve(crd).await;
        let object = json!({"metadata": {"name": place.namespace, "labels": {MADE_BY.0: MADE_BY.1}}});
        let namespaces: Api<Namespace> = Api::all(Client::try_from(place.config.clone()).unwrap());
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(object).unwrap())
            .await
            .expect("a namespace");
        place
    }

    /// Takes a namespace that the caller makes.
    pub async fn reserve(crd: bool) -> Self {
        let (kubeconfig, config) = named_cluster().await;
        let client = Client::try_from(config.clone()).unwrap();
        let hold = if crd {
            let guard = DEFINITION.read().await;
            let mut sharing = SHARING.lock().await;
            if *sharing == 0 {
                remove_crd(&client).await;
                install_crd(&client, &operator::crd::crd()).await;
            }
            *sharing += 1;
            Hold::Shared { _guard: guard }
        } else {
            let guard = DEFINITION.write().await;
            remove_crd(&client).await;
            Hold::Alone { _guard: guard }
        };
        let namespace = format!("sls-operator-test-{:08x}", fastrand::u32(..));
        Self { kubeconfig, config, namespace, hold }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn config(&self) -> &kube::Config {
        &self.config
    }

    pub fn kubeconfig(&self) -> String {
        serde_saphyr::to_string(&self.kubeconfig).unwrap()
    }

    async fn give_back(&self) {
        // First, since whatever fails below must not leave the count too high for the beds that follow.
        let mut sharing = SHARING.lock().await;
        if matches!(self.hold, Hold::Shared { .. }) {
            *sharing -= 1;
        }
        // The last keeps the count to itself: nobody begins to share what it removes.
        let last = (*sharing == 0).then_some(sharing);
        let client = Client::try_from(self.config.clone()).unwrap();
        release_objects(&client, &self.namespace).await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        delete(&namespaces, &self.namespace).await;
        if last.is_some() {
            remove_crd(&client).await;
            namespaces_gone(&namespaces).await;
        }
    }
}

impl Drop for Place {
    /// Also after a test that failed. A thread of its own, since a test's runtime does not run now.
    fn drop(&mut self) {
        let place = &*self;
        let done = std::thread::scope(|scope| {
            let clean = scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { tokio::time::timeout(super::HANG, place.give_back()).await })
            });
            clean.join()
        });
        if !matches!(done, Ok(Ok(()))) {
            eprintln!("namespace {} could not be cleaned up; delete it by hand", self.namespace);
            assert!(std::thread::panicking(), "the cluster is not as it was before");
        }
    }
}

/// The cluster that the user named, and no other: a context that happens to be current in
/// `~/.kube/config` is nobody's wish.
async fn named_cluster() -> (Kubeconfig, kube::Config) {
    let context = std::env::var("SLS_TEST_CONTEXT").ok().filter(|name| !name.is_empty());
    assert!(
        context.is_some() || std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty()),
        "SLS_TEST_APISERVER=kubeconfig needs KUBECONFIG, or the context's name in SLS_TEST_CONTEXT"
    );
    let mut kubeconfig = Kubeconfig::read().expect("the kubeconfig can be read");
    if context.is_some() {
        kubeconfig.current_context = context;
    }
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig.clone(), &options)
        .await
        .expect("the kubeconfig names a cluster");
    (kubeconfig, config)
}

/// Installs a definition as one of these tests'.
pub async fn install_crd(client: &Client, crd: &CustomResourceDefinition) {
    let mut crd = crd.clone();
    crd.metadata.labels.get_or_insert_default().insert(MADE_BY.0.into(), MADE_BY.1.into());
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.create(&PostParams::default(), &crd).await.expect("the CRD is accepted");
    let objects: Api<AliyunLogConfig> = Api::all(client.clone());
    eventually("CRD established", || async {
        objects.list(&ListParams::default()).await.map_err(|error| error.to_string())
    })
    .await;
}

/// Removes what an earlier test left; refuses to remove what is somebody else's.
async fn remove_crd(client: &Client) {
    sweep(client).await;
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let Some(found) = api.get_opt(CRD).await.expect("the cluster answers") else { return };
    assert_eq!(
        found.labels().get(MADE_BY.0).map(String::as_str),
        Some(MADE_BY.1),
        "the cluster has the CRD {CRD} already, and these tests replace it; name a cluster without it, or \
         delete it if nothing there needs it"
    );
    delete(&api, CRD).await;
    eventually("CRD gone", || async {
        match api.get_opt(CRD).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// A namespace takes seconds to go, so only the last bed waits, for all of them.
async fn namespaces_gone(namespaces: &Api<Namespace>) {
    eventually("namespaces gone", || async {
        let left = namespaces.list(&ours()).await.map_err(|error| error.to_string())?;
        let names: Vec<_> = left.items.iter().map(ResourceExt::name_any).collect();
        if names.is_empty() { Ok(()) } else { Err(names.join(", ")) }
    })
    .await;
}

fn ours() -> ListParams {
    ListParams::default().labels(&format!("{}={}", MADE_BY.0, MADE_BY.1))
}

/// Namespaces that tests left behind which were killed; nobody uses them while nobody uses the CRD.
async fn sweep(client: &Client) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces.list(&ours()).await.expect("namespaces") {
        release_objects(client, &namespace.name_any()).await;
        delete(&namespaces, &namespace.name_any()).await;
    }
}

/// Deletes an object that may have gone already.
async fn delete<K>(api: &Api<K>, name: &str)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    gone_or(api.delete(name, &DeleteParams::default()).await, name);
}

/// What the server answered about `name`; none where it is not there (404), or is going (409): never made,
/// or removed by the test or another bed. Everything else would leave the cluster as it must not be.
fn gone_or<T>(result: kube::Result<T>, name: &str) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Lets objects go whose operator is gone.
async fn release_objects(client: &Client, namespace: &str) {
    let resource = kube::api::ApiResource::erase::<AliyunLogConfig>(&());
    let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let Some(list) = gone_or(objects.list(&ListParams::default()).await, namespace) else { return };
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    for object in list.items.iter().filter(|object| !object.finalizers().is_empty()) {
        let name = object.name_any();
        gone_or(objects.patch(&name, &PatchParams::default(), &release).await, &name);
    }
}
