//! The kinds that are looked at, and where they are. Secrets are none of them.

use super::api::{Failure, escaped};

/// A kind of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Name in the addresses of pages.
    pub slug: &'static str,
    /// As objects say it.
    pub kind: &'static str,
    /// Path of its group and version.
    group: &'static str,
    plural: &'static str,
    pub namespaced: bool,
}

const fn kind(
    slug: &'static str,
    kind: &'static str,
    group: &'static str,
    plural: &'static str,
    namespaced: bool,
) -> Kind {
    Kind { slug, kind, group, plural, namespaced }
}

pub(super) const NAMESPACES: Kind = kind("namespace", "Namespace", "/api/v1", "namespaces", false);
pub(super) const PODS: Kind = kind("pod", "Pod", "/api/v1", "pods", true);
pub(super) const EVENTS: Kind = kind("event", "Event", "/api/v1", "events", true);
pub(super) const JOBS: Kind = kind("job", "Job", "/apis/batch/v1", "jobs", true);
pub(super) const DEPLOYMENTS: Kind = kind("deployment", "Deployment", "/apis/apps/v1", "deployments", true);
pub(super) const LOG_CONFIGS: Kind = kind(
    "aliyunlogconfig",
    "AliyunLogConfig",
    "/apis/log.alibabacloud.com/v1alpha1",
    "aliyunlogconfigs",
    true,
);
pub(super) const PIPELINE_CONFIGS: Kind = kind(
    "clusteraliyunpipelineconfig",
    "ClusterAliyunPipelineConfig",
    "/apis/telemetry.alibabacloud.com/v1alpha1",
    "clusteraliyunpipelineconfigs",
    false,
);

/// Those with a page for each object.
const WITH_PAGES: [&Kind; 6] = [&NAMESPACES, &PODS, &JOBS, &DEPLOYMENTS, &LOG_CONFIGS, &PIPELINE_CONFIGS];

impl Kind {
    /// The kind of this name in the addresses of pages.
    pub fn named(slug: &str) -> Option<&'static Self> {
        WITH_PAGES.into_iter().find(|kind| kind.slug == slug)
    }

    /// The kind of this name in objects.
    pub fn of(kind: &str) -> Option<&'static Self> {
        WITH_PAGES.into_iter().find(|known| known.kind == kind)
    }

    /// Where its objects are, or the one of this name.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> Result<String, Failure> {
        let mut path = self.group.to_owned();
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path = format!("{path}/namespaces/{}", segment(namespace)?);
        }
        path = format!("{path}/{}", self.plural);
        if let Some(name) = name {
            path = format!("{path}/{}", segment(name)?);
        }
        Ok(path)
    }

    /// The page of an object of it.
    pub fn page(&self, namespace: &str, name: &str) -> String {
        let namespace = if self.namespaced { namespace } else { "-" };
        format!("/cluster/objects/{}/{}/{}", self.slug, escaped(namespace), escaped(name))
    }
}

/// A name, unless it would be another place in a path.
fn segment(name: &str) -> Result<String, Failure> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if name.is_empty() || name.len() > 253 || name.starts_with('.') || !name.bytes().all(allowed) {
        return Err(Failure::Missing(format!("{name:?} is no name in a cluster")));
    }
    Ok(escaped(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_below_their_group_and_namespace() {
        assert_eq!(PODS.path(None, None).unwrap(), "/api/v1/pods");
        assert_eq!(JOBS.path(Some("a"), Some("b")).unwrap(), "/apis/batch/v1/namespaces/a/jobs/b");
        let cluster_wide = PIPELINE_CONFIGS.path(Some("a"), Some("b")).unwrap();
        assert!(cluster_wide.ends_with("/v1alpha1/clusteraliyunpipelineconfigs/b"), "{cluster_wide}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["..", ".", "", "a/b", "a?b", "a%2fb", "日志"] {
            assert!(PODS.path(Some("default"), Some(name)).is_err(), "{name}");
            assert!(PODS.path(Some(name), None).is_err(), "{name}");
        }
    }
}
