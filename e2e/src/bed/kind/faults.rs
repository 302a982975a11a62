//! What the kind bed does to pods from outside: kills, cuts of the network, a look at memory. A node
//! of a kind cluster is a Docker container, in which we are root.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::images::in_node;
use super::tool;
use crate::bed::Place;

/// What iptables waits for others that change the rules, in seconds.
const IPTABLES_WAIT: &str = "--wait=10";

/// Kills the container's first process, as `kill -9` on the node would.
pub async fn kill(place: &Place) -> Result<()> {
    in_node(&place.node, &["task", "kill", "-s", "SIGKILL", &place.id]).await?;
    Ok(())
}

/// Address of the pod in the cluster's network.
fn address(pod: &Pod) -> Result<IpAddr> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    ip.with_context(|| format!("pod {} has no address", pod.name_any()))?.parse().context("no address")
}

/// A rule of a node's firewall that loses packets from one pod to another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    node: String,
    from: IpAddr,
    to: IpAddr,
}

impl Rule {
    /// The command that adds (`-I`) or removes (`-D`) it. Packets between pods are forwarded by their
    /// node, with the Service's address already replaced by the pod's.
    fn args(&self, verb: &str) -> Vec<String> {
        let program = if self.from.is_ipv4() { "iptables" } else { "ip6tables" };
        let words = ["exec", &self.node, program, IPTABLES_WAIT, verb, "FORWARD", "-s"];
        let mut args: Vec<String> = words.map(str::to_owned).to_vec();
        args.extend([self.from.to_string(), "-d".to_owned(), self.to.to_string()]);
        args.extend(["-j", "DROP"].map(str::to_owned));
        args
    }
}

/// The cuts that are in force. They end with this, also where a signal drops what was being done.
#[derive(Debug, Default)]
pub struct Cuts(Mutex<Vec<Rule>>);

impl Drop for Cuts {
    fn drop(&mut self) {
        for rule in self.lock().drain(..) {
            let mut remove = Command::new("docker");
            remove.args(rule.args("-D")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if !remove.status().is_ok_and(|status| status.success()) {
                tracing::error!("run by hand: docker {}", rule.args("-D").join(" "));
            }
        }
    }
}

impl Cuts {
    /// Loses every packet between the pod and `others`, in both directions.
    ///
    /// # Errors
    /// A rule cannot be added; those that were are known and will be removed.
    pub async fn add(&self, pod: &Pod, others: &[Pod]) -> Result<()> {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let node = node.with_context(|| format!("pod {} has no node", pod.name_any()))?;
        let ip = address(pod)?;
        for other in others {
            let other = address(other)?;
            for (from, to) in [(ip, other), (other, ip)] {
                let rule = Rule { node: node.clone(), from, to };
                // Noted first: half of a change must be undone too.
                self.lock().push(rule.clone());
                tool::run("docker", rule.args("-I")).await.context("cannot cut the network")?;
            }
        }
        Ok(())
    }

    /// Removes every rule that was added. A rule is forgotten only when it is gone.
    ///
    /// # Errors
    /// A rule stays; the message holds the command that removes it.
    pub async fn remove_all(&self) -> Result<()> {
        let rules = self.lock().clone();
        let mut left = Vec::new();
        for rule in rules {
            match tool::run("docker", rule.args("-D")).await {
                Ok(_) => self.lock().retain(|known| *known != rule),
                Err(error) => left.push(format!("{error:#}")),
            }
        }
        if !left.is_empty() {
            bail!("the network of a pod is still cut; run by hand: {}", left.join("; "));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        // Every change is a single step, so a panic elsewhere leaves no half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_removed_by_the_words_that_added_it() {
        let rule = Rule { node: "n".into(), from: [10, 0, 0, 1].into(), to: [10, 0, 0, 2].into() };
        assert_eq!(
            rule.args("-I").join(" "),
            "exec n iptables --wait=10 -I FORWARD -s 10.0.0.1 -d 10.0.0.2 -j DROP"
        );
        assert_eq!(rule.args("-D").join(" "), rule.args("-I").join(" ").replace("-I", "-D"));
    }
}
