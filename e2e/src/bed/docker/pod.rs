//! The example's pod as containers: a Pod object for what the manifest says, and a container request
//! for each of its containers. Pure; the values come from Docker.
//!
//! As in a cluster, the containers of a pod share one network namespace and one host name, which a
//! container of their own holds. So the writer and the sidecar have one address, and it is known
//! before they start, as the sidecar's environment needs it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::json;
use testcontainers_mock_sls::testcontainers::core::{Mount, WaitFor};
use testcontainers_mock_sls::testcontainers::{ContainerRequest, GenericImage, ImageExt};

use crate::pods::expand::expand;
use crate::pods::kubelet::env::{Addresses, environment};
use crate::pods::kubelet::sources::Sources;

/// Where the sandbox sees the pod's volumes.
const SANDBOX_VOLUMES: &str = "/volumes";
/// What the sandbox prints when the volumes are ready.
const SANDBOX_READY: &str = "sandbox is ready";

/// What a container's environment may ask about its pod, as Docker has it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Host name of the containers.
    pub name: String,
    /// Name of the run, which is that of its Docker network.
    pub namespace: String,
    /// Address of the containers in that network.
    pub ip: String,
    /// What the engine calls its machine.
    pub node: String,
    /// Address of that machine in the network.
    pub node_ip: String,
}

/// The pod of a Job, as an API server would show it.
///
/// # Errors
/// The Job has no pod template.
pub fn pod(job: &DynamicObject, identity: &Identity) -> Result<Pod> {
    let template = job.data["spec"]["template"]["spec"].clone();
    let mut spec: PodSpec = serde_json::from_value(template)
        .with_context(|| format!("{} has no valid pod template", job.name_any()))?;
    spec.node_name = Some(identity.node.clone());
    let rest = json!({
        "metadata": {"name": identity.name, "namespace": identity.namespace},
        "status": {"podIP": identity.ip, "hostIP": identity.node_ip},
    });
    Ok(Pod { spec: Some(spec), ..serde_json::from_value(rest)? })
}

/// Names of the volumes of a Job's pod; all of them must be empty at the start.
///
/// # Errors
/// One is of another kind.
pub fn volumes(job: &DynamicObject) -> Result<Vec<String>> {
    let volumes = job.data["spec"]["template"]["spec"]["volumes"].as_array();
    let mut names = Vec::new();
    for volume in volumes.into_iter().flatten() {
        let name = volume["name"].as_str().unwrap_or_default();
        if volume["emptyDir"].is_null() {
            bail!("volume {name} of {} is not an emptyDir; the Docker bed has no other", job.name_any());
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// The container that holds the pod's network and lets every user write to its volumes, as the kubelet
/// does for an emptyDir. `volumes` gives Docker's name for each of the pod's.
pub fn sandbox(image: (&str, &str), volumes: &BTreeMap<String, String>) -> ContainerRequest<GenericImage> {
    let script = format!("chmod 0777 {SANDBOX_VOLUMES}/* && echo {SANDBOX_READY} && exec sleep infinity");
    let image = GenericImage::new(image.0, image.1)
        .with_entrypoint("/bin/sh")
        .with_wait_for(WaitFor::message_on_stdout(SANDBOX_READY));
    volumes.iter().fold(image.with_cmd(["-c".to_owned(), script]), |request, (name, docker)| {
        request.with_mount(Mount::volume_mount(docker, format!("{SANDBOX_VOLUMES}/{name}")))
    })
}

/// The container `name` of the pod, run from `image`; network and names are left to the caller.
///
/// # Errors
/// The pod has no such container, or its environment asks for what there is not.
pub fn request(
    pod: &Pod,
    name: &str,
    image: (&str, &str),
    volumes: &BTreeMap<String, String>,
) -> Result<ContainerRequest<GenericImage>> {
    let container = container(pod, name)?;
    let status = pod.status.clone().unwrap_or_default();
    let addresses =
        Addresses { pod_ip: status.pod_ip.unwrap_or_default(), host_ip: status.host_ip.unwrap_or_default() };
    let env = environment(pod, container, &addresses, &Sources::default())?;
    let mut words = container.command.iter().chain(&container.args).flatten().map(|word| expand(word, &env));
    let mut image = GenericImage::new(image.0, image.1);
    if container.command.is_some() {
        let program = words.next().with_context(|| format!("the command of container {name} is empty"))?;
        image = image.with_entrypoint(&program);
    }
    let mut request = image.with_cmd(words.collect::<Vec<_>>());
    for (variable, value) in env {
        request = request.with_env_var(variable, value);
    }
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes
            .get(&mount.name)
            .with_context(|| format!("container {name} mounts {}, which the pod has not", mount.name))?;
        request = request.with_mount(Mount::volume_mount(volume, &mount.mount_path));
    }
    Ok(request)
}

/// The command of the container's liveness probe.
///
/// # Errors
/// It has none.
pub fn liveness_command(pod: &Pod, name: &str) -> Result<Vec<String>> {
    let probe = container(pod, name)?.liveness_probe.clone();
    let command = probe.and_then(|probe| probe.exec).and_then(|exec| exec.command);
    command.with_context(|| format!("container {name} has no liveness probe with a command"))
}

/// The value of a variable that the manifest sets for the container.
///
/// # Errors
/// It is not set.
pub fn variable(pod: &Pod, name: &str, variable: &str) -> Result<String> {
    let env = container(pod, name)?.env.iter().flatten().find(|entry| entry.name == variable);
    env.and_then(|entry| entry.value.clone()).with_context(|| format!("container {name} has no {variable}"))
}

fn container<'a>(pod: &'a Pod, name: &str) -> Result<&'a Container> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers
        .into_iter()
        .find(|c| c.name == name)
        .with_context(|| format!("the pod has no container {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{SIDECAR, WRITER};

    fn identity() -> Identity {
        Identity {
            name: "p".into(),
            namespace: "run".into(),
            ip: "172.20.0.3".into(),
            node: "host".into(),
            node_ip: "172.20.0.1".into(),
        }
    }

    fn job() -> DynamicObject {
        crate::kubernetes::parse(fixtures::repaired::SIDECAR_JOB).expect("the job")
    }

    #[test]
    fn the_writer_gets_the_documents_command_and_flags_and_its_volume() {
        let pod = pod(&job(), &identity()).expect("a pod");
        let volumes = BTreeMap::from([("nginx-log".to_owned(), "run-nginx-log".to_owned())]);
        let request = request(&pod, WRITER, ("image", "tag"), &volumes).expect("a request");
        assert_eq!(request.entrypoint(), Some("/bin/mock_log"));
        let words: Vec<_> = request.cmd().collect();
        assert!(words.iter().any(|word| word == "--path=/var/log/nginx/access.log"), "{words:?}");
        let mounts: Vec<_> = request.mounts().map(|m| (m.source(), m.target())).collect();
        assert_eq!(mounts, [(Some("run-nginx-log"), Some("/var/log/nginx"))]);
    }

    #[test]
    fn the_sidecar_gets_the_documents_environment_with_dockers_values() {
        let pod = pod(&job(), &identity()).expect("a pod");
        let volumes = BTreeMap::from([("nginx-log".to_owned(), "v".to_owned())]);
        let request = request(&pod, SIDECAR, ("image", "tag"), &volumes).expect("a request");
        assert_eq!(request.entrypoint(), None);
        let env: BTreeMap<_, _> = request.env_vars().collect();
        let value = |name: &str| env.get(name).map(|value| value.to_string());
        assert_eq!(value("ALIYUN_LOGTAIL_USER_DEFINED_ID").as_deref(), Some("nginx-log-sidecar"));
        for (name, expected) in [
            ("_pod_name_", "p"),
            ("_pod_ip_", "172.20.0.3"),
            ("_namespace_", "run"),
            ("_node_name_", "host"),
            ("_node_ip_", "172.20.0.1"),
        ] {
            assert_eq!(value(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(liveness_command(&pod, SIDECAR).expect("a probe"), ["/etc/init.d/ilogtaild", "status"]);
        let path = variable(&pod, SIDECAR, "ALIYUN_LOGTAIL_CONFIG").expect("set");
        assert!(path.ends_with("/ilogtail_config.json"), "{path}");
    }

    #[test]
    fn a_volume_that_is_not_empty_at_the_start_is_refused_by_name() {
        assert_eq!(volumes(&job()).expect("volumes"), ["nginx-log"]);
        let mut job = job();
        job.data["spec"]["template"]["spec"]["volumes"][0] = json!({"name": "h", "hostPath": {"path": "/"}});
        let error = volumes(&job).expect_err("refused").to_string();
        assert!(error.starts_with("volume h of nginx-log-sidecar-demo is not an emptyDir"), "{error}");
    }
}
