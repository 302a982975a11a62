//! What explains a failure: collected from the cluster into the bed's folder.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::install::INSTALLATION;
use super::tool::Kubectl;

/// The logs of all containers of the namespace's pods, also of their earlier instances.
pub async fn logs(kubectl: &Kubectl, namespace: &str) -> String {
    let list = ["-n", namespace, "get", "pods", "-o", "name"];
    let pods = kubectl.run(&list).await.unwrap_or_else(|error| format!("{error:#}"));
    let mut text = String::new();
    for pod in pods.lines() {
        for previous in [false, true] {
            let flag = format!("--previous={previous}");
            let args = ["-n", namespace, "logs", pod, "--all-containers", "--prefix", &flag];
            match kubectl.run(&args).await {
                Ok(log) => text.push_str(&log),
                // Containers that ran once have no earlier instance.
                Err(_) if previous => {}
                Err(error) => text.push_str(&format!("{pod}: {error:#}\n")),
            }
        }
    }
    text
}

/// The files of the emulator's database.
pub async fn copy_database(kubectl: &Kubectl, root: &Path) -> Result<()> {
    let list = ["-n", INSTALLATION, "get", "pods", "-l", "app.kubernetes.io/name=mock-sls", "-o", "name"];
    let pods = kubectl.run(&list).await?;
    let pod = pods.lines().find_map(|line| line.strip_prefix("pod/")).context("it has no pod")?;
    let from = format!("{INSTALLATION}/{pod}:/var/lib/mock-sls");
    kubectl.run(&["cp", &from, &root.join("mock-sls").display().to_string()]).await?;
    Ok(())
}
