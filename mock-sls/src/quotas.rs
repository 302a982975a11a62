//! How many resources an account and a project may hold. Checked where they are made.

use crate::error::ApiError;

/// Projects of an account. Source: limits document.
pub const PROJECTS_MAX: u64 = 50;
/// Logstores of a project, metric stores included. Source: limits document.
pub const LOGSTORES_MAX: u64 = 200;
/// Machine groups of a project. Source: limits document.
pub const MACHINE_GROUPS_MAX: u64 = 200;
/// Logtail configs of a project. Source: limits document (100 in older ones).
pub const LOGTAIL_CONFIGS_MAX: u64 = 200;
/// Dashboards of a project. Source: limits document.
pub const DASHBOARDS_MAX: u64 = 100;
/// Saved searches of a project. Source: limits document.
pub const SAVED_SEARCHES_MAX: u64 = 100;
/// Alerts of a project. Source: limits document.
pub const ALERTS_MAX: u64 = 100;
/// Documents of any other kind in one place. Source: own choice, so that nothing is unbounded.
pub const DOCUMENTS_MAX: u64 = 1_000;

/// The numbers that apply to a server; by default the documented ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// See [`PROJECTS_MAX`].
    pub projects: u64,
    /// See [`LOGSTORES_MAX`].
    pub logstores: u64,
    /// See [`MACHINE_GROUPS_MAX`].
    pub machine_groups: u64,
    /// See [`LOGTAIL_CONFIGS_MAX`].
    pub logtail_configs: u64,
    /// See [`DASHBOARDS_MAX`].
    pub dashboards: u64,
    /// See [`SAVED_SEARCHES_MAX`].
    pub saved_searches: u64,
    /// See [`ALERTS_MAX`].
    pub alerts: u64,
    /// See [`DOCUMENTS_MAX`].
    pub documents: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            projects: PROJECTS_MAX,
            logstores: LOGSTORES_MAX,
            machine_groups: MACHINE_GROUPS_MAX,
            logtail_configs: LOGTAIL_CONFIGS_MAX,
            dashboards: DASHBOARDS_MAX,
            saved_searches: SAVED_SEARCHES_MAX,
            alerts: ALERTS_MAX,
            documents: DOCUMENTS_MAX,
        }
    }
}

/// A quota that the command line names and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no quota {0:?}; use one of {NAMES:?}")]
pub struct UnknownQuota(String);

/// What [`Quotas::set`] knows.
const NAMES: [&str; 8] = [
    "projects",
    "logstores",
    "machine-groups",
    "logtail-configs",
    "dashboards",
    "saved-searches",
    "alerts",
    "documents",
];

impl Quotas {
    /// Changes one, by the name that the command line uses.
    ///
    /// # Errors
    /// [`UnknownQuota`].
    pub fn set(&mut self, name: &str, max: u64) -> Result<(), UnknownQuota> {
        let quota = match name {
            "projects" => &mut self.projects,
            "logstores" => &mut self.logstores,
            "machine-groups" => &mut self.machine_groups,
            "logtail-configs" => &mut self.logtail_configs,
            "dashboards" => &mut self.dashboards,
            "saved-searches" => &mut self.saved_searches,
            "alerts" => &mut self.alerts,
            "documents" => &mut self.documents,
            _ => return Err(UnknownQuota(name.to_owned())),
        };
        *quota = max;
        Ok(())
    }
}

/// Refuses one more of `what` when there are `max` already.
pub(crate) fn check(what: &'static str, count: u64, max: u64) -> Result<(), ApiError> {
    if count < max { Ok(()) } else { Err(ApiError::QuotaExceed { what, max }) }
}

/// As [`check`], when the new one has been added already; the error undoes that.
pub(crate) fn check_after(what: &'static str, count: usize, max: u64) -> Result<(), ApiError> {
    check(what, (count as u64).saturating_sub(1), max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_sets_a_quota_of_its_own() {
        let mut quotas = Quotas::default();
        for (at, name) in NAMES.into_iter().enumerate() {
            quotas.set(name, at as u64).unwrap();
        }
        let Quotas {
            projects,
            logstores,
            machine_groups,
            logtail_configs,
            dashboards,
            saved_searches,
            alerts,
            documents,
        } = quotas;
        let all = [
            projects,
            logstores,
            machine_groups,
            logtail_configs,
            dashboards,
            saved_searches,
            alerts,
            documents,
        ];
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(quotas.set("shards", 1).unwrap_err().to_string().starts_with("there is no quota \"shards\""));
    }
}
