//! Arguments about the Lease: for `run`, which works while it holds it, and `drain`, which makes sure that nobody does.

use std::time::Duration;

use super::run::duration;
use crate::leader::{self, election::Timing, timing};

/// Name of the Lease unless set otherwise.
const LEASE_NAME: &str = "sls-operator";

#[derive(clap::Args, Clone, Debug)]
pub(super) struct LeaseArgs {
    /// Namespace of the Lease; the one of the Pod, or of the kubeconfig's context, without it
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    leader_elect_namespace: Option<String>,

    /// Name of the Lease; operators that share objects share it
    #[arg(long, value_name = "NAME", default_value = LEASE_NAME)]
    leader_elect_name: String,

    /// How long the Lease holds after its last renewal, in whole seconds
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    lease_duration: Duration,

    /// How long a leader that cannot renew the Lease goes on before it ends with exit code 1
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    renew_deadline: Duration,

    /// Time between two tries to get or to renew the Lease
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    retry_period: Duration,
}

impl LeaseArgs {
    /// The settings of a process that is called `prefix` and something.
    pub(super) fn settings(self, config: &kube::Config, prefix: &str) -> Result<leader::Settings, String> {
        let timing: Timing = timing(self.lease_duration, self.renew_deadline, self.retry_period)?;
        Ok(leader::Settings {
            namespace: self.leader_elect_namespace.unwrap_or_else(|| config.default_namespace.clone()),
            name: self.leader_elect_name,
            identity: leader::identity(prefix),
            timing,
        })
    }
}
