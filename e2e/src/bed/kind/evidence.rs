//! What explains a failure: collected from the cluster into the bed's folder. One file each; what
//! cannot be had, is a file that says why.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::future::join_all;
use futures::{StreamExt, stream};

use super::cluster::nodes;
use super::install::{INSTALLATION, MOCK_SLS_LABEL};
use super::made::Made;
use super::tool::{self, Kubectl};

/// Longest time for all of it: a cluster that hangs must not hang the run.
const EVIDENCE_LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for one answer of the API server, as kubectl takes it.
const ANSWER_TIMEOUT: &str = "--request-timeout=20s";
/// Namespaces that are looked at side by side, with five kubectl each. Source: own choice.
const NAMESPACES_AT_ONCE: usize = 4;
/// Lines of a node's journal, and of what its container said before it had one.
const JOURNAL_LINES_MAX: &str = "2000";
/// Times the database is copied until nobody wrote meanwhile.
const COPY_ATTEMPTS_MAX: usize = 5;
/// Where the emulator keeps its database. Source: the kustomization.
const DATA: &str = "/var/lib/mock-sls";
/// Kinds of objects that are listed; no Secrets.
const OBJECTS: &str = "all,persistentvolumeclaims,configmaps,serviceaccounts";

/// Writes everything; `kind_cluster` is the kind cluster it is, if it is one.
pub async fn write(root: &Path, kubectl: &Kubectl, made: &Made, kind_cluster: Option<&str>) {
    let everything = async {
        tokio::join!(
            of_namespaces(root, kubectl, made),
            of_cluster(root, kubectl),
            of_nodes(root, kind_cluster),
            async {
                if let Err(error) = copy_database(kubectl, root).await {
                    file(root, "mock-sls.txt", &format!("the database cannot be copied: {error:#}\n"));
                }
            }
        );
    };
    if tokio::time::timeout(EVIDENCE_LIMIT, everything).await.is_err() {
        let text = format!("not everything could be collected within {} s\n", EVIDENCE_LIMIT.as_secs());
        file(root, "incomplete.txt", &text);
    }
}

async fn of_namespaces(root: &Path, kubectl: &Kubectl, made: &Made) {
    let listed = kubectl.run(&["get", "namespaces", "-o", "name", ANSWER_TIMEOUT]).await;
    // Those of scenarios that passed are gone; where that cannot be known, each says so itself.
    let there = |name: &String| match &listed {
        Ok(listed) => listed.lines().any(|line| line.strip_prefix("namespace/") == Some(name)),
        Err(_) => true,
    };
    let namespaces = made.namespaces().into_iter().filter(there).chain([INSTALLATION.to_owned()]);
    let collect = namespaces.map(|namespace| async move {
        let there = ["--namespace", namespace.as_str(), ANSWER_TIMEOUT];
        let get = |args: &[&'static str]| {
            let args = [&there, args].concat();
            async move { said(kubectl, &args).await }
        };
        let (log, objects, configs, events, described) = tokio::join!(
            async { logs(kubectl, &namespace).await.unwrap_or_else(|error| format!("{error:#}\n")) },
            get(&["get", OBJECTS, "-o", "yaml"]),
            get(&["get", "aliyunlogconfigs", "-o", "yaml"]),
            get(&["get", "events", "--sort-by=.metadata.creationTimestamp"]),
            get(&["describe", "pods"]),
        );
        file(root, &format!("{namespace}.log"), &log);
        file(root, &format!("{namespace}.objects.yaml"), &objects);
        file(root, &format!("{namespace}.aliyunlogconfigs.yaml"), &configs);
        file(root, &format!("{namespace}.events.txt"), &events);
        file(root, &format!("{namespace}.pods.txt"), &described);
    });
    stream::iter(collect).buffer_unordered(NAMESPACES_AT_ONCE).collect::<()>().await;
}

async fn of_cluster(root: &Path, kubectl: &Kubectl) {
    let (nodes, pods) = tokio::join!(
        said(kubectl, &["describe", "nodes", ANSWER_TIMEOUT]),
        said(kubectl, &["get", "pods", "--all-namespaces", "-o", "wide", ANSWER_TIMEOUT]),
    );
    file(root, "cluster.txt", &format!("{pods}\n{nodes}"));
}

async fn of_nodes(root: &Path, kind_cluster: Option<&str>) {
    let Some(cluster) = kind_cluster else { return };
    match nodes(cluster).await {
        Ok(nodes) => {
            join_all(nodes.iter().map(|node| async move {
                file(root, &format!("node-{node}.log"), &journal(node).await);
            }))
            .await;
        }
        Err(error) => file(root, "nodes.txt", &format!("{error:#}\n")),
    }
}

async fn journal(node: &str) -> String {
    let units =
        ["journalctl", "--no-pager", "--lines", JOURNAL_LINES_MAX, "--unit=kubelet", "--unit=containerd"];
    match tool::run("docker", ["exec", node].into_iter().chain(units)).await {
        Ok(journal) => journal,
        // A node that failed early, or has no journal.
        Err(error) => {
            let log = tool::run("docker", ["logs", "--tail", JOURNAL_LINES_MAX, node]).await;
            format!("{error:#}\n{}", log.unwrap_or_else(|error| format!("{error:#}\n")))
        }
    }
}

/// What kubectl prints, or what it complains about.
async fn said(kubectl: &Kubectl, args: &[&str]) -> String {
    kubectl.run(args).await.unwrap_or_else(|error| format!("{error:#}\n"))
}

fn file(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    if let Err(error) = std::fs::write(&path, text) {
        tracing::warn!("cannot write {}: {error}", path.display());
    }
}

/// The logs of all containers of the namespace's pods, also of their earlier instances; in place of a log that
/// cannot be had, why.
///
/// # Errors
/// The pods cannot be listed.
pub async fn logs(kubectl: &Kubectl, namespace: &str) -> Result<String> {
    let list = ["-n", namespace, "get", "pods", "-o", "name", ANSWER_TIMEOUT];
    let pods = kubectl.run(&list).await?;
    let mut text = String::new();
    for pod in pods.lines() {
        for previous in [false, true] {
            let flag = format!("--previous={previous}");
            let args = ["-n", namespace, "logs", pod, "--all-containers", "--prefix", &flag, ANSWER_TIMEOUT];
            match kubectl.run(&args).await {
                Ok(log) => text.push_str(&log),
                // Containers that ran once have no earlier instance.
                Err(_) if previous => {}
                Err(error) => text.push_str(&format!("{pod}: {error:#}\n")),
            }
        }
    }
    Ok(text)
}

/// Copies the files of the emulator's database, its write-ahead log too, as they were at one moment:
/// again if one of them was written meanwhile.
async fn copy_database(kubectl: &Kubectl, root: &Path) -> Result<()> {
    let list = ["-n", INSTALLATION, "get", "pods", "-l", MOCK_SLS_LABEL, "-o", "name"];
    let pods = kubectl.run(&list).await?;
    let pod = pods.lines().find_map(|line| line.strip_prefix("pod/")).context("it has no pod")?;
    let from = format!("{INSTALLATION}/{pod}:{DATA}");
    let folder = root.join("mock-sls");
    let to = folder.display().to_string();
    let mut before = written(kubectl, pod).await?;
    for _ in 0..COPY_ATTEMPTS_MAX {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {to}"))?;
        }
        kubectl.run(&["cp", "--container=mock-sls", &from, &to]).await?;
        let after = written(kubectl, pod).await?;
        if before == after {
            return Ok(());
        }
        before = after;
    }
    bail!("it was written whenever it was copied; the copy in {to} may not open")
}

/// Sizes and times of the files that hold data; the `-shm` file is an index that readers write too.
async fn written(kubectl: &Kubectl, pod: &str) -> Result<String> {
    let list =
        ["-n", INSTALLATION, "exec", pod, "--container=mock-sls", "--", "ls", "-l", "--full-time", DATA];
    let listed = kubectl.run(&list).await?;
    Ok(listed.lines().filter(|line| !line.ends_with("-shm")).collect::<Vec<_>>().join("\n"))
}
