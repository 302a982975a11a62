//! Events: what the kubelet and the controllers say about objects, as `kubectl describe` shows it.
//!
//! Everything in [`crate::pods`] that has something to tell holds a [`Recorder`]. Events are sent
//! in the background in their order; an event said again counts up instead of becoming another
//! object.

use std::collections::HashMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::mpsc;

/// Events known for counting; beyond that, all are forgotten and counting begins anew.
const KNOWN_MAX: usize = 4096;

/// Events waiting to be sent; more are dropped, as a cluster does under load.
const QUEUE_MAX: usize = 1024;

/// Bytes of an event's text; longer ones are cut. Source: Kubernetes API validation.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Says things about objects in the name of one component.
#[derive(Clone, Debug)]
pub struct Recorder {
    component: &'static str,
    queue: mpsc::Sender<Said>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

#[derive(Clone, Debug)]
struct Said {
    component: &'static str,
    about: core::ObjectReference,
    severity: Severity,
    reason: &'static str,
    message: String,
    time: Timestamp,
}

impl Recorder {
    /// A recorder, and the task that sends what it is told. The task ends with the last recorder.
    pub fn start(client: Client, component: &'static str) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, said) = mpsc::channel(QUEUE_MAX);
        (Self { component, queue }, tokio::spawn(send_all(client, said)))
    }

    /// The same, in the name of another component.
    pub fn named(&self, component: &'static str) -> Self {
        Self { component, queue: self.queue.clone() }
    }

    /// Says that all is well.
    pub fn normal<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.say(about, Severity::Normal, reason, message.into());
    }

    /// Says that something is wrong.
    pub fn warning<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.say(about, Severity::Warning, reason, message.into());
    }

    fn say<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        severity: Severity,
        reason: &'static str,
        mut message: String,
    ) {
        let about = about.object_ref(&());
        let end = (0..=MESSAGE_BYTES_MAX.min(message.len())).rev();
        message.truncate(end.into_iter().find(|end| message.is_char_boundary(*end)).unwrap_or(0));
        tracing::debug!(kind = about.kind.as_deref(), name = about.name.as_deref(), reason, message, "event");
        let component = self.component;
        let time = Timestamp::now();
        let said = Said { component, about, severity, reason, message, time };
        if let Err(error) = self.queue.try_send(said) {
            tracing::debug!(%error, "an event was dropped");
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    uid: Option<String>,
    severity: Severity,
    reason: &'static str,
    message: String,
}

struct Known {
    name: String,
    count: i32,
}

async fn send_all(client: Client, mut said: mpsc::Receiver<Said>) {
    let mut known: HashMap<Key, Known> = HashMap::new();
    let mut number: u64 = fastrand::u64(..);
    while let Some(said) = said.recv().await {
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        number = number.wrapping_add(1);
        if let Err(error) = send(&client, &mut known, number, &said).await {
            tracing::debug!(%error, reason = said.reason, "an event could not be sent");
        }
    }
}

async fn send(
    client: &Client,
    known: &mut HashMap<Key, Known>,
    number: u64,
    said: &Said,
) -> kube::Result<()> {
    let namespace = said.about.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Api<core::Event> = Api::namespaced(client.clone(), &namespace);
    let key = Key {
        uid: said.about.uid.clone(),
        severity: said.severity,
        reason: said.reason,
        message: said.message.clone(),
    };
    if let Some(seen) = known.get_mut(&key) {
        seen.count = seen.count.saturating_add(1);
        let again = serde_json::json!({"count": seen.count, "lastTimestamp": Time(said.time)});
        let sent = api.patch(&seen.name, &PatchParams::default(), &Patch::Merge(again)).await;
        if !matches!(&sent, Err(kube::Error::Api(status)) if status.code == 404) {
            return sent.map(drop);
        }
    }
    let about = said.about.name.as_deref().unwrap_or("unknown");
    let created = api.create(&PostParams::default(), &event(said, about, number, namespace)).await?;
    known.insert(key, Known { name: created.name_any(), count: 1 });
    Ok(())
}

fn event(said: &Said, about: &str, number: u64, namespace: String) -> core::Event {
    let severity = match said.severity {
        Severity::Normal => "Normal",
        Severity::Warning => "Warning",
    };
    core::Event {
        metadata: ObjectMeta {
            name: Some(format!("{about}.{number:016x}")),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        involved_object: said.about.clone(),
        type_: Some(severity.to_owned()),
        reason: Some(said.reason.to_owned()),
        message: Some(said.message.clone()),
        count: Some(1),
        first_timestamp: Some(Time(said.time)),
        last_timestamp: Some(Time(said.time)),
        event_time: None::<MicroTime>,
        source: Some(core::EventSource { component: Some(said.component.to_owned()), host: None }),
        reporting_component: Some(said.component.to_owned()),
        reporting_instance: Some(String::new()),
        ..core::Event::default()
    }
}
