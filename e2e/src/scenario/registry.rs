//! The list of scenarios: what `--list` prints, what `--scenario` chooses from, and which code runs.

use anyhow::Result;
use serde::Serialize;

use super::{
    Context, Load, Names, collector_kill, configs, deletion, density, injected_job, injected_policy,
    injected_webhook, job_completes, latency, memory, network_cut, operator_restart, pod_deletion, roles,
    rolling_update, scaling, schema, sidecar_job, sls_restart,
};
use crate::bed::{Bed, Need};
use crate::report::Report;

/// One scenario of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    SidecarJob,
    Scaling,
    ConfigDeletion,
    JobCompletes,
    InjectedJob,
    InjectedWebhook,
    InjectedPolicy,
    RollingUpdate,
    PodDeletion,
    CollectorKill,
    NetworkCut,
    Schema,
    Roles,
    SlsRestart,
    OperatorRestart,
    Memory,
    Latency,
    Density,
}

/// A line of `--list`.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    pub name: &'static str,
    pub about: &'static str,
    /// What it needs of the bed beside Kubernetes and the Log Service.
    pub needs: Vec<String>,
    /// Nothing else runs beside it.
    pub alone: bool,
}

impl Scenario {
    /// All, in the order in which they are started and reported.
    pub const ALL: [Self; 18] = [
        Self::SidecarJob,
        Self::Scaling,
        Self::ConfigDeletion,
        Self::JobCompletes,
        Self::InjectedJob,
        Self::InjectedWebhook,
        Self::InjectedPolicy,
        Self::RollingUpdate,
        Self::PodDeletion,
        Self::CollectorKill,
        Self::NetworkCut,
        Self::Schema,
        Self::Roles,
        Self::SlsRestart,
        Self::OperatorRestart,
        Self::Memory,
        Self::Latency,
        Self::Density,
    ];

    /// What `cargo e2e` runs without being told: the document's example in a few seconds.
    pub const EXAMPLE: [Self; 3] = [Self::SidecarJob, Self::Scaling, Self::ConfigDeletion];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SidecarJob => "sidecar-job",
            Self::Scaling => "scaling",
            Self::ConfigDeletion => "config-deletion",
            Self::JobCompletes => "job-completes",
            Self::InjectedJob => "injected-job",
            Self::InjectedWebhook => "injected-webhook",
            Self::InjectedPolicy => "injected-policy",
            Self::RollingUpdate => "rolling-update",
            Self::PodDeletion => "pod-deletion",
            Self::CollectorKill => "collector-kill",
            Self::NetworkCut => "network-cut",
            Self::Schema => "schema",
            Self::Roles => "roles",
            Self::SlsRestart => "sls-restart",
            Self::OperatorRestart => "operator-restart",
            Self::Memory => "memory",
            Self::Latency => "latency",
            Self::Density => "density",
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Self::SidecarJob => {
                "the document's Job and both configs, as published (refused) and repaired: every line once, with its pod's tags"
            }
            Self::Scaling => "a Deployment goes 1 → 3 → 1 → 0 while it writes",
            Self::ConfigDeletion => "a deleted AliyunLogConfig takes its config away and leaves the logs",
            Self::JobCompletes => {
                "the document's Job with a sidecar that ends by itself: it completes, and every line is there"
            }
            Self::InjectedJob => {
                "the document's writer alone, given a native sidecar by `operator inject`: it completes at once, and every line is there"
            }
            Self::InjectedWebhook => {
                "the same writer, given its sidecar by the operator's webhook as its pod is created; a broken config is refused"
            }
            Self::InjectedPolicy => {
                "the same writer, given its sidecar by the API server, by `operator policy`"
            }
            Self::RollingUpdate => "a Deployment's template changes while it writes: old and new replicas",
            Self::PodDeletion => "a writing pod is deleted with a grace period: its last lines arrive",
            Self::CollectorKill => {
                "a collector killed with SIGKILL is restarted and goes on from its checkpoint"
            }
            Self::NetworkCut => "a collector cannot reach the service for 30 s and catches up",
            Self::Schema => "kubectl explain and the columns of kubectl get, as the API server gives them",
            Self::Roles => "the operator works under its shipped roles and may do nothing else",
            Self::SlsRestart => "mock-sls restarts with its volume while lines are written",
            Self::OperatorRestart => "the operator is killed in the middle of its work",
            Self::Memory => {
                "a collector with the document's resources: idle within its request, loaded within its limit"
            }
            Self::Latency => "figure: line written → queryable",
            Self::Density => "figure: memory of 20 collectors on a node",
        }
    }

    /// What it needs of the bed beside Kubernetes and the Log Service.
    pub const fn needs(self) -> &'static [Need] {
        match self {
            Self::CollectorKill => &[Need::Kill],
            Self::NetworkCut => &[Need::Cut],
            Self::Roles => &[Need::Roles],
            Self::InjectedPolicy => &[Need::Policies],
            Self::Memory | Self::Density => &[Need::Memory],
            _ => &[],
        }
    }

    /// Nothing may run beside it: it disturbs everybody, or its figures would be wrong, or (for a sidecar that was
    /// added) a node that is busy with the others' pods takes the seconds in which its Job has to complete.
    pub const fn alone(self) -> bool {
        matches!(
            self,
            Self::InjectedJob
                | Self::InjectedWebhook
                | Self::InjectedPolicy
                | Self::SlsRestart
                | Self::OperatorRestart
                | Self::Memory
                | Self::Latency
                | Self::Density
        )
    }

    /// The document's Job uses the document's names, the others their own.
    pub fn names(self) -> Names {
        match self {
            Self::SidecarJob => Names::document(),
            other => Names::of(other.name()),
        }
    }

    /// The scenario of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    pub fn listed(self) -> Listed {
        Listed {
            name: self.name(),
            about: self.about(),
            needs: self.needs().iter().map(Need::to_string).collect(),
            alone: self.alone(),
        }
    }

    /// Runs it; what it found before an error stays in `report`.
    ///
    /// # Errors
    /// The cluster or the service cannot be asked, or something does not happen in time.
    pub async fn run(self, ctx: &Context, bed: &impl Bed, load: Load, report: &mut Report) -> Result<()> {
        if !matches!(self, Self::SidecarJob | Self::Roles | Self::OperatorRestart) {
            report.merge(configs::repaired_become_ready(ctx).await?);
        }
        match self {
            Self::SidecarJob => sidecar_job::run(ctx, load, report).await,
            Self::Scaling => scaling::run(ctx, load.per_second, report).await,
            Self::ConfigDeletion => deletion::run(ctx, report).await,
            Self::JobCompletes => job_completes::run(ctx, report).await,
            Self::InjectedJob => injected_job::run(ctx, report).await,
            Self::InjectedWebhook => injected_webhook::run(ctx, report).await,
            Self::InjectedPolicy => injected_policy::run(ctx, report).await,
            Self::RollingUpdate => rolling_update::run(ctx, report).await,
            Self::PodDeletion => pod_deletion::run(ctx, report).await,
            Self::CollectorKill => collector_kill::run(ctx, bed, report).await,
            Self::NetworkCut => network_cut::run(ctx, bed, report).await,
            Self::Schema => schema::run(ctx, bed, report).await,
            Self::Roles => roles::run(ctx, bed, report).await,
            Self::SlsRestart => sls_restart::run(ctx, bed, report).await,
            Self::OperatorRestart => operator_restart::run(ctx, bed, report).await,
            Self::Memory => memory::run(ctx, bed, report).await,
            Self::Latency => latency::run(ctx, report).await,
            Self::Density => density::run(ctx, bed, report).await,
        }
    }
}

/// What `--list` prints for people.
pub fn to_text() -> String {
    let width = Scenario::ALL.iter().map(|scenario| scenario.name().len()).max().unwrap_or(0);
    Scenario::ALL
        .iter()
        .map(|scenario| {
            let listed = scenario.listed();
            let needs = match listed.needs.as_slice() {
                [] => String::new(),
                needs => format!(" (needs: {})", needs.join(", ")),
            };
            format!("{:width$}  {}{needs}\n", listed.name, listed.about)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_scenario_and_makes_a_valid_project() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::find(scenario.name()), Some(scenario));
            let names = scenario.names();
            assert!(names.project.parse::<sls_api::names::ProjectName>().is_ok(), "{names:?}");
            assert!(names.machine_group.parse::<sls_api::names::MachineGroupName>().is_ok(), "{names:?}");
        }
        assert_eq!(Scenario::find("all"), None);
    }

    #[test]
    fn the_list_has_a_line_for_each_with_its_needs() {
        let text = to_text();
        assert_eq!(text.lines().count(), Scenario::ALL.len());
        assert!(text.contains("network-cut       a collector cannot reach"), "{text}");
        assert!(text.contains("(needs: kill a container's process)"), "{text}");
    }
}
