//! Which log file belongs to which container of which pod; answers `kubectl logs`.
//!
//! The kubelet adds a file whenever it starts a container and forgets a pod when its object is
//! gone. The API server reads through [`kube_sim::PodLogs`].

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream::BoxStream;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube_sim::{LogOptions, PodLogs, PodLogsError};

use super::LogFile;
use super::read::{self, ReadOptions};

/// Instances of a container whose logs can be asked for: the present and the previous one.
const INSTANCES_MAX: usize = 2;

/// The logs of all pods of the node.
#[derive(Debug, Default)]
pub struct Registry {
    pods: Mutex<HashMap<(String, String), PodFiles>>,
}

#[derive(Debug)]
struct PodFiles {
    uid: String,
    containers: HashMap<String, Vec<LogFile>>,
}

impl Registry {
    /// Adds the log of a new instance of a container. A pod with another uid takes the place of
    /// an earlier one with the same name.
    pub fn add(&self, namespace: &str, pod: &str, uid: &str, container: &str, log: LogFile) {
        let fresh = || PodFiles { uid: uid.to_owned(), containers: HashMap::new() };
        let mut pods = self.lock();
        let files = pods.entry((namespace.to_owned(), pod.to_owned())).or_insert_with(fresh);
        if files.uid != uid {
            *files = fresh();
        }
        let instances = files.containers.entry(container.to_owned()).or_default();
        instances.push(log);
        if instances.len() > INSTANCES_MAX {
            instances.remove(0);
        }
    }

    /// Forgets a pod. Its files stay.
    pub fn forget(&self, namespace: &str, pod: &str, uid: &str) {
        let key = (namespace.to_owned(), pod.to_owned());
        let mut pods = self.lock();
        if pods.get(&key).is_some_and(|files| files.uid == uid) {
            pods.remove(&key);
        }
    }

    /// The log file of a container's present instance, or of the one before.
    pub fn find(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<LogFile, PodLogsError> {
        let pods = self.lock();
        let instances = pods
            .get(&(namespace.to_owned(), pod.to_owned()))
            .and_then(|files| files.containers.get(container))
            .map(Vec::as_slice);
        match (instances, previous) {
            (Some([.., last]), false) => Ok(last.clone()),
            (Some([.., before, _]), true) => Ok(before.clone()),
            (_, true) => Err(PodLogsError::NotFound(format!(
                "previous terminated container {container:?} in pod {pod:?} not found"
            ))),
            (_, false) => Err(PodLogsError::NotStarted {
                pod: pod.to_owned(),
                container: container.to_owned(),
                reason: "ContainerCreating".to_owned(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), PodFiles>> {
        // Every change is a single step, so a panic elsewhere leaves no half of one.
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PodLogs for Registry {
    fn open(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, PodLogsError> {
        let log = self.find(namespace, pod, container, options.previous)?;
        let age = options.since_seconds.map(|age| i64::try_from(age).unwrap_or(i64::MAX));
        let options = ReadOptions {
            follow: options.follow,
            tail_lines: options.tail_lines.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            since: age.and_then(|age| Timestamp::now().checked_sub(SignedDuration::from_secs(age)).ok()),
            limit_bytes: options.limit_bytes,
            timestamps: options.timestamps,
        };
        read::open(&log, options).map_err(|error| PodLogsError::Io(error.to_string()))
    }
}
