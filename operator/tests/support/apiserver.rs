//! The API server of a bed: kube-sim in process, or a namespace of a real cluster's.
//!
//! `SLS_TEST_APISERVER=kubeconfig` asks for the real one: the cluster that `$KUBECONFIG` names, or
//! `$SLS_TEST_CONTEXT`. Without it, and for tests of what only a simulator can be made to do, it is kube-sim.

use std::path::Path;

use kube::Client;
use serde_json::Value;

use super::cluster::Place;

/// Whoever bears it is the operator.
const OPERATOR_TOKEN: &str = "sls-operator";
/// Namespace in which the operator runs, as far as that matters: its webhook's Secret is there.
pub const OPERATOR_NAMESPACE: &str = "sls-system";
/// What the operator may do in a cluster.
const SHIPPED_ROLES: &str = include_str!("../../../deploy/kustomize/rbac.yaml");

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
        let apiserver = Self::Simulated { server, namespace: wanted.namespace.to_owned() };
        apiserver.grant_shipped_roles(|_| true);
        apiserver
    }

    /// Lets the operator do what the shipped roles say, as far as `wanted` has the rule, and nothing else. A real
    /// server's operator is whoever the kubeconfig says.
    pub fn grant_shipped_roles(&self, wanted: impl Fn(&Value) -> bool) {
        let Self::Simulated { server, namespace } = self else { return };
        server.revoke(OPERATOR_TOKEN);
        for mut role in serde_saphyr::from_multiple::<Value>(SHIPPED_ROLES).unwrap() {
            let Some(rules) = role.get_mut("rules").and_then(Value::as_array_mut) else { continue };
            rules.retain(&wanted);
            match role["metadata"]["name"].as_str() {
                Some("sls-operator") => server.grant(OPERATOR_TOKEN, &role, None),
                Some("sls-operator-leader") => server.grant(OPERATOR_TOKEN, &role, Some(namespace)),
                Some("sls-operator-webhook") => server.grant(OPERATOR_TOKEN, &role, Some(OPERATOR_NAMESPACE)),
                // Those are for users.
                _ => {}
            }
        }
    }

    /// Lets the operator do more than the shipped roles say.
    pub fn grant(&self, role: &Value) {
        if let Self::Simulated { server, .. } = self {
            server.grant(OPERATOR_TOKEN, role, None);
        }
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

    /// A client that may do everything, as the operator makes it.
    pub fn client(&self) -> Client {
        operator::kubernetes::client(self.config()).unwrap()
    }

    /// The operator's client, which may do what the shipped roles say.
    pub fn operator_client(&self) -> Client {
        let mut config = self.config();
        if matches!(self, Self::Simulated { .. }) {
            config.auth_info.token = Some(OPERATOR_TOKEN.to_owned().into());
        }
        operator::kubernetes::client(config).unwrap()
    }

    fn config(&self) -> kube::Config {
        match self {
            Self::Simulated { server, .. } => kube::Config::new(server.url().parse().unwrap()),
            Self::Real(place) => place.config().clone(),
        }
    }

    /// Writes a kubeconfig whose current context is this server, and who may do everything.
    pub fn write_kubeconfig(&self, path: &Path) {
        let text = match self {
            Self::Simulated { server, .. } => server.kubeconfig(),
            Self::Real(place) => place.kubeconfig(),
        };
        std::fs::write(path, text).unwrap();
    }

    /// The same for the operator, who may do what the shipped roles say.
    pub fn write_operator_kubeconfig(&self, path: &Path) {
        match self {
            Self::Simulated { server, .. } => {
                std::fs::write(path, server.kubeconfig_of(OPERATOR_TOKEN)).unwrap();
            }
            Self::Real(_) => self.write_kubeconfig(path),
        }
    }
}
