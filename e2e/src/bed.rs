//! A bed: a Kubernetes API and a Log Service that scenarios can reach, and what surrounds them.
//! The run of `cargo e2e` (`example`) takes any.

use std::fmt;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;

use crate::progress::Progress;
use crate::report::Figure;
use crate::scenario::{Context, Names};

pub mod docker;
pub mod embedded;
pub mod image;
pub mod kind;

pub use embedded::{Embedded, Options};
pub use kind::Kind;

/// Region of the document's example; the embedded bed plays it.
pub const REGION: &str = "cn-hangzhou";

/// What a run needs of the bed it happens on, beside what Kubernetes and the Log Service offer.
#[expect(async_fn_in_trait, reason = "a run is one task, so its futures need not be Send")]
pub trait Bed {
    /// Whether scenarios can have this here.
    ///
    /// # Errors
    /// They cannot; the text says why, for people.
    fn offers(&self, need: Need) -> Result<(), String>;

    /// Makes a namespace for the scenario of that name, whose things in the Log Service have `names`.
    ///
    /// # Errors
    /// The API server refuses the namespace.
    async fn open(&self, scenario: &str, names: Names, progress: &Progress) -> Result<Context>;

    /// Gives back what a scenario that has passed no longer needs.
    ///
    /// # Errors
    /// The API server refuses.
    async fn close(&self, ctx: &Context) -> Result<()>;

    /// Takes the Log Service away, as an outage does; its data stays.
    ///
    /// # Errors
    /// The bed cannot do that.
    async fn stop_sls(&self) -> Result<()>;

    /// Brings it back at the same address with the same data.
    ///
    /// # Errors
    /// It does not come back.
    async fn start_sls(&self) -> Result<()>;

    /// Kills the operator without a word, and returns when there is a new one.
    ///
    /// # Errors
    /// It does not come back.
    async fn restart_operator(&self) -> Result<()>;

    /// What it measured while it started, beside what every bed is measured by.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }

    /// What the operator has said since it last started.
    ///
    /// # Errors
    /// Its log cannot be read.
    async fn operator_log(&self) -> Result<String>;

    /// Kills a container's first process with SIGKILL, from outside; see [`Need::Kill`].
    ///
    /// # Errors
    /// There is no such process.
    async fn kill(&self, place: &Place) -> Result<()>;

    /// Loses every packet between the pod and the Log Service, from now on; see [`Need::Cut`].
    ///
    /// # Errors
    /// The bed cannot do that.
    async fn cut(&self, pod: &Pod) -> Result<()>;

    /// Loses no more packets of any pod.
    ///
    /// # Errors
    /// The network stays cut; the message says how to mend it.
    async fn mend(&self) -> Result<()>;

    /// Whether containers run the programs as users get them, under the limits of their manifests. Where
    /// not, the pages of the executable say nothing about the program.
    fn runs_shipped_containers(&self) -> bool;

    /// What `/proc` says about a container's first process; see [`Need::Memory`].
    ///
    /// # Errors
    /// There is no such process.
    async fn memory(&self, place: &Place) -> Result<Memory>;

    /// Runs the real kubectl in the bed's cluster; `None` where the bed goes without.
    ///
    /// # Errors
    /// kubectl fails.
    async fn kubectl(&self, args: &[&str]) -> Result<Option<String>>;

    /// Writes what explains a failure into the bed's folder; what cannot be had is left out.
    async fn write_evidence(&self);

    /// Ends the bed and takes away what it made, unless the user keeps it.
    ///
    /// # Errors
    /// Something is left; the message says what, and how to remove it.
    async fn shutdown(self) -> Result<()>;
}

/// What a scenario may need of a bed and not every bed has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// [`Bed::kill`].
    Kill,
    /// [`Bed::cut`] and [`Bed::mend`].
    Cut,
    /// [`Bed::memory`].
    Memory,
    /// An API server that asks who may do what, and the operator under its shipped account.
    Roles,
    /// An API server that evaluates MutatingAdmissionPolicies.
    Policies,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill a container's process",
            Self::Cut => "cut the network of a pod",
            Self::Memory => "read a process's memory",
            Self::Roles => "access control",
            Self::Policies => "admission policies",
        })
    }
}

/// One container that has run, as Kubernetes names it.
#[derive(Debug, Clone)]
pub struct Place {
    pub namespace: String,
    pub pod: String,
    pub node: String,
    pub container: String,
    /// The runtime's name of it: what stands after `://` in the container's status.
    pub id: String,
}

impl Place {
    /// Reads it from the pod's status.
    ///
    /// # Errors
    /// The pod has no such container, or it has not been started.
    pub fn of(pod: &Pod, container: &str) -> Result<Self> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
        let id = statuses.iter().find(|s| s.name == container).and_then(|s| s.container_id.as_deref());
        let id = id.with_context(|| format!("container {container} of pod {name} has no id yet"))?;
        Ok(Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            container: container.to_owned(),
            id: id.split_once("://").map_or(id, |(_, id)| id).to_owned(),
            pod: name,
        })
    }
}

/// Memory of one process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub rss_kib: u64,
    /// Of that, what is not pages of files: the process's own.
    pub anonymous_kib: u64,
    /// The same with shared pages divided among those that share them.
    pub pss_kib: u64,
    /// The most that was ever resident.
    pub peak_kib: u64,
}

impl Memory {
    /// Reads `/proc/PID/smaps_rollup` and `/proc/PID/status`, one after the other in any order.
    ///
    /// # Errors
    /// A line that both files have always had is not there.
    pub fn parse(text: &str) -> Result<Self> {
        let kib = |name: &str| -> Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.with_context(|| format!("no line {name} in smaps_rollup and status"))
        };
        Ok(Self {
            rss_kib: kib("Rss")?,
            anonymous_kib: kib("Anonymous")?,
            pss_kib: kib("Pss")?,
            peak_kib: kib("VmHWM")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn memory_is_read_from_both_files() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0  [rollup]\nRss:   8124 kB\nPss:    2210 kB\nPss_Anon: 9 kB\nAnonymous: 700 kB\n";
        let status = "Name:\tilogtail\nVmHWM:\t   9000 kB\nVmRSS:\t   8124 kB\n";
        let memory = Memory::parse(&format!("{rollup}{status}")).expect("memory");
        assert_eq!(memory, Memory { rss_kib: 8124, anonymous_kib: 700, pss_kib: 2210, peak_kib: 9000 });
        assert!(Memory::parse(rollup).is_err_and(|error| error.to_string().contains("VmHWM")));
    }

    #[test]
    fn the_runtimes_name_of_a_container_comes_from_its_status() {
        let pod = |status| {
            serde_json::from_value::<Pod>(json!({
                "metadata": {"name": "a", "namespace": "n"}, "spec": {"containers": [], "nodeName": "w"},
                "status": {"containerStatuses": [status]},
            }))
            .expect("a pod")
        };
        let base = json!({"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 0});
        assert!(Place::of(&pod(base.clone()), "c").is_err());
        let mut started = base;
        started["containerID"] = json!("containerd://12ab");
        let place = Place::of(&pod(started), "c").expect("a place");
        assert_eq!((place.id.as_str(), place.node.as_str(), place.namespace.as_str()), ("12ab", "w", "n"));
    }
}
