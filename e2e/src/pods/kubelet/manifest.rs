//! What the kubelet needs of a Pod object, taken from it once.
//!
//! The API server has filled in defaults and refused nonsense; what is missing all the same gets
//! the API's default here, so that the rest of the kubelet never looks at an `Option`.

use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Default of `terminationGracePeriodSeconds`. Source: Kubernetes API reference, PodSpec.
const GRACE_SECONDS: i64 = 30;

/// When an ended container is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Always.
    Always,
    /// When it ended with another code than 0.
    OnFailure,
    /// Never.
    Never,
}

impl RestartPolicy {
    /// True when a container that ended with `code` is to be started again.
    pub fn restarts(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// The part that a container plays in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Runs to its end before the next container starts.
    Init,
    /// An init container that goes on running (`restartPolicy: Always`).
    Sidecar,
    /// An ordinary container.
    App,
}

/// The manifest of a pod.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Init containers and sidecars in their order, then the ordinary containers.
    pub containers: Vec<ContainerManifest>,
    /// Policy of init and ordinary containers.
    pub restart: RestartPolicy,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The pod fails when it is active for longer.
    pub active_deadline: Option<Duration>,
}

/// The manifest of a container.
#[derive(Clone, Debug)]
pub struct ContainerManifest {
    /// Its part.
    pub kind: Kind,
    /// Name, unique in the pod.
    pub name: String,
    /// Everything else, as given.
    pub spec: core::Container,
    /// Liveness probe.
    pub liveness: Option<Probe>,
    /// Readiness probe.
    pub readiness: Option<Probe>,
    /// Startup probe.
    pub startup: Option<Probe>,
    /// Run before SIGTERM.
    pub pre_stop: Option<Check>,
    /// Run beside the start of the program; the container is not started before it has ended.
    pub post_start: Option<Check>,
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is done.
    pub check: Check,
    /// Time between the container's start and the first probe.
    pub initial_delay: Duration,
    /// Time between probes.
    pub period: Duration,
    /// Time after which a probe has failed.
    pub timeout: Duration,
    /// Failures in a row after which the container has failed.
    pub failure_threshold: u32,
    /// Successes in a row after which it is well again.
    pub success_threshold: u32,
    /// Grace period of the container when this probe ends it, if another than the pod's.
    pub grace: Option<Duration>,
}

/// What a probe or a hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Runs a command inside the container; exit code 0 is success.
    Exec(Vec<String>),
    /// Plain HTTP GET; a status from 200 to 399 is success.
    HttpGet {
        /// Host; the pod's address when empty.
        host: String,
        /// Port.
        port: u16,
        /// Path and query.
        path: String,
        /// Further headers.
        headers: Vec<(String, String)>,
    },
    /// Opens a TCP connection.
    TcpSocket {
        /// Host; the pod's address when empty.
        host: String,
        /// Port.
        port: u16,
    },
    /// Waits (hooks only).
    Sleep(Duration),
    /// Something that the bed cannot do; fails with this text.
    Unsupported(String),
}

impl Manifest {
    /// Takes a pod's specification apart. A pod without a specification has no containers.
    pub fn of(pod: &core::Pod) -> Self {
        let empty = core::PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        let init = spec.init_containers.iter().flatten().map(|container| {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            ContainerManifest::of(container, if sidecar { Kind::Sidecar } else { Kind::Init })
        });
        let app = spec.containers.iter().map(|container| ContainerManifest::of(container, Kind::App));
        Self {
            containers: init.chain(app).collect(),
            restart: match spec.restart_policy.as_deref() {
                Some("Never") => RestartPolicy::Never,
                Some("OnFailure") => RestartPolicy::OnFailure,
                _ => RestartPolicy::Always,
            },
            grace: seconds(spec.termination_grace_period_seconds.unwrap_or(GRACE_SECONDS)),
            active_deadline: spec.active_deadline_seconds.map(seconds),
        }
    }
}

impl ContainerManifest {
    fn of(spec: &core::Container, kind: Kind) -> Self {
        let probe = |probe: &Option<core::Probe>| probe.as_ref().map(|probe| Probe::of(probe, spec));
        let hook = |hook: Option<&core::LifecycleHandler>| hook.map(|hook| hook_check(hook, spec));
        let lifecycle = spec.lifecycle.as_ref();
        Self {
            kind,
            name: spec.name.clone(),
            liveness: probe(&spec.liveness_probe),
            readiness: probe(&spec.readiness_probe),
            startup: probe(&spec.startup_probe),
            pre_stop: hook(lifecycle.and_then(|hooks| hooks.pre_stop.as_ref())),
            post_start: hook(lifecycle.and_then(|hooks| hooks.post_start.as_ref())),
            spec: spec.clone(),
        }
    }
}

impl Probe {
    fn of(probe: &core::Probe, container: &core::Container) -> Self {
        let duration = |given: Option<i32>, default: i64| seconds(given.map_or(default, i64::from).max(0));
        let count = |given: Option<i32>, default| {
            given.and_then(|given| u32::try_from(given).ok()).unwrap_or(default).max(1)
        };
        Self {
            check: probe_check(probe, container),
            initial_delay: duration(probe.initial_delay_seconds, 0),
            period: duration(probe.period_seconds, 10).max(Duration::from_secs(1)),
            timeout: duration(probe.timeout_seconds, 1).max(Duration::from_secs(1)),
            failure_threshold: count(probe.failure_threshold, 3),
            success_threshold: count(probe.success_threshold, 1),
            grace: probe.termination_grace_period_seconds.map(seconds),
        }
    }

    /// The same probe on a schedule that passes `speed` times faster. The timeout stays, as it
    /// bounds real work.
    pub fn hurried(mut self, speed: u32) -> Self {
        self.initial_delay /= speed.max(1);
        self.period /= speed.max(1);
        self
    }
}

fn probe_check(probe: &core::Probe, container: &core::Container) -> Check {
    if let Some(exec) = &probe.exec {
        Check::Exec(exec.command.clone().unwrap_or_default())
    } else if let Some(http) = &probe.http_get {
        http_check(http, container)
    } else if let Some(tcp) = &probe.tcp_socket {
        tcp_check(tcp, container)
    } else {
        Check::Unsupported("only exec, httpGet and tcpSocket probes are done here".to_owned())
    }
}

fn hook_check(hook: &core::LifecycleHandler, container: &core::Container) -> Check {
    if let Some(exec) = &hook.exec {
        Check::Exec(exec.command.clone().unwrap_or_default())
    } else if let Some(http) = &hook.http_get {
        http_check(http, container)
    } else if let Some(sleep) = &hook.sleep {
        Check::Sleep(seconds(sleep.seconds))
    } else if let Some(tcp) = &hook.tcp_socket {
        tcp_check(tcp, container)
    } else {
        Check::Unsupported("the hook has no handler".to_owned())
    }
}

fn http_check(http: &core::HTTPGetAction, container: &core::Container) -> Check {
    if http.scheme.as_deref().unwrap_or("HTTP") != "HTTP" {
        return Check::Unsupported("httpGet with HTTPS is not done here".to_owned());
    }
    match port(&http.port, container) {
        Ok(port) => Check::HttpGet {
            host: http.host.clone().unwrap_or_default(),
            port,
            path: http.path.clone().unwrap_or_else(|| "/".to_owned()),
            headers: http
                .http_headers
                .iter()
                .flatten()
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
        },
        Err(problem) => Check::Unsupported(problem),
    }
}

fn tcp_check(tcp: &core::TCPSocketAction, container: &core::Container) -> Check {
    match port(&tcp.port, container) {
        Ok(port) => Check::TcpSocket { host: tcp.host.clone().unwrap_or_default(), port },
        Err(problem) => Check::Unsupported(problem),
    }
}

fn port(port: &IntOrString, container: &core::Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port),
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| format!("container {} has no port {port:?}", container.name))
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
