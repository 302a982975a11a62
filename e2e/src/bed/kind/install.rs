//! Installs the emulator and the operator as users install them.

use anyhow::{Result, bail};

use super::evidence::logs;
use super::made::{Made, Thing};
use super::tool::Kubectl;

/// What is installed.
pub const KUSTOMIZATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kustomize");
/// Namespace of the installation. Source: the kustomization.
pub const INSTALLATION: &str = "sls-bed";
/// The Deployments in it.
pub const MOCK_SLS: &str = "deployment/mock-sls";
pub const OPERATOR: &str = "deployment/sls-operator";
/// Labels of their pods.
pub const MOCK_SLS_LABEL: &str = "app.kubernetes.io/name=mock-sls";
pub const OPERATOR_LABEL: &str = "app.kubernetes.io/name=sls-operator";
/// Longest wait for a Deployment, as kubectl takes it.
const ROLLOUT_TIMEOUT: &str = "--timeout=120s";

/// Applies the kustomization; [`serves`] waits for it.
pub async fn install(kubectl: &Kubectl, made: &Made) -> Result<()> {
    made.will_make(Thing::Installation(KUSTOMIZATION.into()));
    kubectl.run(&["apply", "-k", KUSTOMIZATION]).await?;
    Ok(())
}

/// Waits until all that is installed serves.
pub async fn serves(kubectl: &Kubectl) -> Result<()> {
    for deployment in [MOCK_SLS, OPERATOR] {
        rolled_out(kubectl, deployment).await?;
    }
    Ok(())
}

/// Waits until all replicas of a Deployment are ready.
pub async fn rolled_out(kubectl: &Kubectl, deployment: &str) -> Result<()> {
    let rollout = ["-n", INSTALLATION, "rollout", "status", deployment, ROLLOUT_TIMEOUT];
    if let Err(error) = kubectl.run(&rollout).await {
        let pods = kubectl.run(&["-n", INSTALLATION, "describe", "pods"]).await.unwrap_or_default();
        let events: Vec<&str> = pods.lines().filter(|line| line.contains("Warning")).collect();
        let log = logs(kubectl, INSTALLATION).await.unwrap_or_else(|error| format!("{error:#}"));
        bail!("{error:#}; warnings there: {}; logs there: {}", events.join(" / "), log.replace('\n', " / "));
    }
    Ok(())
}
