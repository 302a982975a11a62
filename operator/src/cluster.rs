//! Which cluster this is, and what the vendor's controller calls the project and the machine group that
//! belong to it. Pure; used by the command line, [`of_cluster`] asks the API server.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use sls_api::names::{InvalidName, MachineGroupName, ProjectName};

/// Project of a cluster, before its id. Source: vendor's CRD document.
const PROJECT_PREFIX: &str = "k8s-log-";
/// Machine group of a cluster, before its id. Source: vendor's CRD document.
const GROUP_PREFIX: &str = "k8s-group-";
/// Begins the id of a cluster that is not the vendor's. Source: vendor's installation document, which wants
/// the project of such a cluster to begin with `k8s-log-custom-`.
const CUSTOM_PREFIX: &str = "custom-";
/// Hexadecimal digits of a uid that go into an id: 48 bits. Source: guess; names of projects are shared by all
/// accounts of a region, and should stay readable.
const UID_DIGITS: usize = 12;
/// Namespace whose uid stands for the cluster's: every cluster has it, and it is never made anew. Source: common
/// practice, Kubernetes has no cluster id.
const OLDEST_NAMESPACE: &str = "kube-system";

/// Id of a cluster: lowercase letters, digits and `-`, at most 55 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterId {
    project: ProjectName,
    group: MachineGroupName,
}

/// Why a text is no cluster id.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no cluster id: {source}; use lowercase letters, digits and '-', at most 55 characters")]
pub struct InvalidClusterId {
    text: String,
    source: InvalidName,
}

/// Why the cluster's id is not known.
#[derive(Debug, thiserror::Error)]
pub enum ClusterIdError {
    #[error(
        "namespace {OLDEST_NAMESPACE}, whose uid tells clusters apart, cannot be read: {0}; allow the operator to get \
         it, or give --cluster-id"
    )]
    Kubernetes(#[source] Box<kube::Error>),
    #[error("the uid {0:?} of namespace {OLDEST_NAMESPACE} cannot be used; give --cluster-id")]
    Uid(String),
}

impl ClusterId {
    /// `k8s-log-<id>`.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// `k8s-group-<id>`.
    pub fn machine_group(&self) -> &MachineGroupName {
        &self.group
    }

    /// `custom-` and the first 12 digits of a uid.
    fn of_uid(uid: &str) -> Option<Self> {
        let digits: String = uid.chars().filter(char::is_ascii_hexdigit).take(UID_DIGITS).collect();
        if digits.len() < UID_DIGITS {
            return None;
        }
        format!("{CUSTOM_PREFIX}{}", digits.to_ascii_lowercase()).parse().ok()
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.project.as_str().trim_start_matches(PROJECT_PREFIX))
    }
}

impl FromStr for ClusterId {
    type Err = InvalidClusterId;

    fn from_str(text: &str) -> Result<Self, InvalidClusterId> {
        let wrong = |source| InvalidClusterId { text: text.chars().take(100).collect(), source };
        Ok(Self {
            project: format!("{PROJECT_PREFIX}{text}").parse().map_err(wrong)?,
            group: format!("{GROUP_PREFIX}{text}").parse().map_err(wrong)?,
        })
    }
}

/// The id of the cluster that `kube` speaks to.
///
/// # Errors
/// See [`ClusterIdError`].
pub async fn of_cluster(kube: Client) -> Result<ClusterId, ClusterIdError> {
    let namespaces: Api<Namespace> = Api::all(kube);
    let failed = |error| ClusterIdError::Kubernetes(Box::new(error));
    let uid =
        namespaces.get_metadata(OLDEST_NAMESPACE).await.map_err(failed)?.metadata.uid.unwrap_or_default();
    ClusterId::of_uid(&uid).ok_or(ClusterIdError::Uid(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gives_the_names_of_the_document() {
        let id: ClusterId = "c12e93f0".parse().unwrap();
        assert_eq!(
            (id.project().as_str(), id.machine_group().as_str()),
            ("k8s-log-c12e93f0", "k8s-group-c12e93f0")
        );
        assert_eq!(id.to_string(), "c12e93f0");
    }

    #[test]
    fn a_uid_gives_the_id_of_a_cluster_that_is_not_the_vendors() {
        let id = ClusterId::of_uid("0A1b2c3d-4e5f-4677-8899-aabbccddeeff").unwrap();
        assert_eq!(id.project().as_str(), "k8s-log-custom-0a1b2c3d4e5f");
        assert_eq!(ClusterId::of_uid("1234"), None);
    }

    #[test]
    fn what_cannot_be_in_a_project_name_is_no_id() {
        for text in ["", "A", "a_b", "a-", "über", &"a".repeat(56)] {
            let error = text.parse::<ClusterId>().unwrap_err().to_string();
            assert!(error.contains("lowercase letters, digits and '-'"), "{error}");
        }
        assert!("a".repeat(55).parse::<ClusterId>().is_ok());
    }
}
