//! The API server of a bed: kube-sim in process, or a namespace of a real cluster's.
//!
//! `SLS_TEST_APISERVER=kubeconfig` asks for the real one: the cluster that `$KUBECONFIG` names, or
//! `$SLS_TEST_CONTEXT`. Without it, and for tests of what only a simulator can be made to do, it is kube-sim.

use std::path::Path;

use kube::Client;

use super::cluster::Place;

pub enum ApiServer {
    Simulated { server: kube_sim::Running, namespace: String },
    Real(Box<Place>),
}

/// What a bed asks of its API server.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whether the operator's CRD is there, shared with other beds; else the bed has the CRD to itself.
    pub crd: bool,
    /// Whether it must be the simulator.
    pub simulated: bool,
    /// The simulator's namespace; a real cluster gives each bed a new one.
    pub namespace: &'static str,
}

/// Whether tests were asked to use a real API server.
pub fn is_real() -> bool {
    match std::env::var("SLS_TEST_APISERVER").as_deref() {
        Err(_) | Ok("" | "kube-sim") => false,
        Ok("kubeconfig") => true,
        Ok(other) => {
            panic!("SLS_TEST_APISERVER is {other:?}; it may be kube-sim, the default, or kubeconfig")
        }
    }
}

impl ApiServer {
    pub async fn start(wanted: &Wanted) -> Self {
        if is_real() && !wanted.simulated {
            return Self::Real(Box::new(Place::take(wanted.crd).await));
        }
        let server = kube_sim::KubeSim::start(kube_sim::Config::default()).await.expect("kube-sim starts");
        Self::Simulated { server, namespace: wanted.namespace.to_owned() }
    }

    /// The namespace that is this bed's.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Simulated { namespace, .. } => namespace,
            Self::Real(place) => place.namespace(),
        }
    }

    /// The namespace to which the operator must keep itself: in a real cluster it is not the only one.
    pub fn watched(&self) -> Option<String> {
        match self {
            Self::Simulated { .. } => None,
            Self::Real(place) => Some(place.namespace().to_owned()),
        }
    }

    /// A client, as the operator makes it.
    pub fn client(&self) -> Client {
        let config = match self {
            Self::Simulated { server, .. } => kube::Config::new(server.url().parse().unwrap()),
            Self::Real(place) => place.config().clone(),
        };
        operator::kubernetes::client(config).unwrap()
    }

    /// Writes a kubeconfig whose current context is this server.
    pub fn write_kubeconfig(&self, path: &Path) {
        let text = match self {
            Self::Simulated { server, .. } => server.kubeconfig(),
            Self::Real(place) => place.kubeconfig(),
        };
        std::fs::write(path, text).unwrap();
    }
}
