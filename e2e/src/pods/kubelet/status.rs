//! The status of a pod as the API shows it. Pure.
//!
//! Called by the worker after every happening; the result is sent when it differs from the last.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::env::Addresses;
use super::manifest::{ContainerManifest, Kind, Manifest};
use super::state::{ContainerState, Ended, Phase, PodState, StopReason};

/// Prefix of container ids: what the runtime is called.
const RUNTIME: &str = "process://";

/// The status that `state` comes to. `previous` gives conditions that have not changed the time of
/// their last change.
pub fn status(
    pod: &core::Pod,
    manifest: &Manifest,
    state: &PodState,
    addresses: &Addresses,
    start: Timestamp,
    now: Timestamp,
    previous: Option<&core::PodStatus>,
) -> core::PodStatus {
    let phase = phase(manifest, state);
    let statuses = |app: bool| {
        let all = manifest.containers.iter().zip(&state.containers);
        let wanted = all.filter(|(container, _)| (container.kind == Kind::App) == app);
        let list: Vec<_> = wanted.map(|(c, s)| container_status(c, s, state)).collect();
        (!list.is_empty()).then_some(list)
    };
    let (reason, message) = match state.stopping.map(|stopping| stopping.reason) {
        Some(StopReason::DeadlineExceeded) => (
            Some("DeadlineExceeded".to_owned()),
            Some("Pod was active on the node longer than the specified deadline".to_owned()),
        ),
        _ => (None, None),
    };
    core::PodStatus {
        conditions: Some(conditions(pod, manifest, state, phase, now, previous)),
        container_statuses: statuses(true),
        init_container_statuses: statuses(false),
        host_ip: Some(addresses.host_ip.clone()),
        host_ips: Some(vec![core::HostIP { ip: addresses.host_ip.clone() }]),
        pod_ip: Some(addresses.pod_ip.clone()),
        pod_ips: Some(vec![core::PodIP { ip: addresses.pod_ip.clone() }]),
        observed_generation: pod.metadata.generation,
        phase: Some(phase.to_owned()),
        qos_class: pod.status.as_ref().and_then(|status| status.qos_class.clone()),
        reason,
        message,
        start_time: Some(Time(start)),
        ..core::PodStatus::default()
    }
}

/// Source: Kubernetes documentation, pod life cycle; the order of the rules is the kubelet's.
fn phase(manifest: &Manifest, state: &PodState) -> &'static str {
    let apps = || {
        let all = manifest.containers.iter().zip(&state.containers);
        all.filter(|(container, _)| container.kind == Kind::App).map(|(_, state)| state)
    };
    if state.over {
        let failed = state.stopping.is_some_and(|stopping| {
            matches!(stopping.reason, StopReason::InitFailed | StopReason::DeadlineExceeded)
        });
        let all_well = apps().all(|app| matches!(&app.phase, Phase::Ended(ended) if ended.code == 0));
        return if all_well && !failed { "Succeeded" } else { "Failed" };
    }
    let fresh = |app: &ContainerState| {
        matches!(app.phase, Phase::Waiting { .. } | Phase::Starting) && app.last.is_none()
    };
    if !state.initialized || apps().any(fresh) { "Pending" } else { "Running" }
}

fn container_status(
    container: &ContainerManifest,
    state: &ContainerState,
    pod: &PodState,
) -> core::ContainerStatus {
    let image = container.spec.image.clone().unwrap_or_default();
    let waiting = |reason: &str, message: Option<String>| core::ContainerState {
        waiting: Some(core::ContainerStateWaiting { reason: Some(reason.to_owned()), message }),
        ..core::ContainerState::default()
    };
    let (now, id) = match &state.phase {
        Phase::Waiting { reason, message } => {
            // Apart from the first word, init containers have had their turn.
            let fresh = *reason == "PodInitializing" && pod.initialized && message.is_none();
            let reason = if fresh { "ContainerCreating" } else { reason };
            (waiting(reason, message.clone()), state.last.as_ref().map(|last| last.id.clone()))
        }
        Phase::Starting => {
            (waiting("ContainerCreating", None), state.last.as_ref().map(|last| last.id.clone()))
        }
        Phase::Running(running) => (
            core::ContainerState {
                running: Some(core::ContainerStateRunning { started_at: Some(Time(running.since.time)) }),
                ..core::ContainerState::default()
            },
            Some(running.id.clone()),
        ),
        Phase::Ended(ended) => (terminated(ended), Some(ended.id.clone())),
    };
    let started = match &state.phase {
        Phase::Running(running) => running.started,
        _ => false,
    };
    core::ContainerStatus {
        name: container.name.clone(),
        image_id: format!("{RUNTIME}{image}"),
        image,
        container_id: id.map(|id| format!("{RUNTIME}{id}")),
        ready: ready(container, state),
        started: Some(started),
        restart_count: i32::try_from(state.restarts()).unwrap_or(i32::MAX),
        state: Some(now),
        last_state: Some(state.last.as_ref().map(terminated).unwrap_or_default()),
        ..core::ContainerStatus::default()
    }
}

fn terminated(ended: &Ended) -> core::ContainerState {
    core::ContainerState {
        terminated: Some(core::ContainerStateTerminated {
            container_id: Some(format!("{RUNTIME}{}", ended.id)),
            exit_code: ended.code,
            signal: ended.signal,
            reason: Some(ended.reason.to_owned()),
            message: ended.message.clone(),
            started_at: ended.started.map(Time),
            finished_at: Some(Time(ended.finished)),
        }),
        ..core::ContainerState::default()
    }
}

/// An init container is ready once it has done its work.
fn ready(container: &ContainerManifest, state: &ContainerState) -> bool {
    match (&state.phase, container.kind) {
        (Phase::Running(running), Kind::App | Kind::Sidecar) => running.ready,
        (Phase::Ended(ended), Kind::Init) => ended.code == 0,
        _ => false,
    }
}

fn conditions(
    pod: &core::Pod,
    manifest: &Manifest,
    state: &PodState,
    phase: &str,
    now: Timestamp,
    previous: Option<&core::PodStatus>,
) -> Vec<core::PodCondition> {
    let all = || manifest.containers.iter().zip(&state.containers);
    let unready: Vec<&str> = all()
        .filter(|(container, state)| container.kind != Kind::Init && !ready(container, state))
        .map(|(container, _)| container.name.as_str())
        .collect();
    let not_ready = match phase {
        "Succeeded" => Some(("PodCompleted", String::new())),
        "Failed" => Some(("PodFailed", String::new())),
        _ if !unready.is_empty() => {
            Some(("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))))
        }
        _ => None,
    };
    let uninitialized = (!state.initialized).then(|| {
        let waiting: Vec<&str> = all()
            .filter(|(container, state)| match container.kind {
                Kind::App => false,
                Kind::Init => !ready(container, state),
                Kind::Sidecar => !matches!(&state.phase, Phase::Running(r) if r.started),
            })
            .map(|(container, _)| container.name.as_str())
            .collect();
        let text = format!("containers with incomplete status: [{}]", waiting.join(" "));
        ("ContainersNotInitialized", text)
    });
    let anything_ran = state.containers.iter().any(|container| {
        container.last.is_some() || matches!(container.phase, Phase::Running(_) | Phase::Ended(_))
    });
    let sandbox = (!anything_ran).then(|| ("ContainersNotStarted", String::new()));
    [
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", uninitialized),
        ("Ready", not_ready.clone()),
        ("ContainersReady", not_ready),
        ("PodScheduled", None),
    ]
    .into_iter()
    .map(|(name, problem)| {
        let known = previous
            .and_then(|status| status.conditions.as_ref())
            .and_then(|list| list.iter().find(|condition| condition.type_ == name));
        condition(pod, name, problem, now, known)
    })
    .collect()
}

fn condition(
    pod: &core::Pod,
    name: &str,
    problem: Option<(&str, String)>,
    now: Timestamp,
    known: Option<&core::PodCondition>,
) -> core::PodCondition {
    let status = if problem.is_none() { "True" } else { "False" };
    let since = known
        .filter(|known| known.status == status)
        .and_then(|known| known.last_transition_time.clone())
        .unwrap_or(Time(now));
    let (reason, message) = problem.unzip();
    core::PodCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        last_transition_time: Some(since),
        reason: reason.map(str::to_owned),
        message: message.filter(|message| !message.is_empty()),
        observed_generation: pod.metadata.generation,
        ..core::PodCondition::default()
    }
}
