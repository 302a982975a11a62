//! Jobs: alerts, scheduled SQL, transformations, imports and exports. One kind of document with
//! a `type`; the OpenAPI client reaches each type by a path of its own and never sends it.

use super::calls::{PLAIN, calls, exists, items, missing};
use super::stored_as::JOB;
use super::{Action, Filter, Key, Kind, List, Shape, Test};
use crate::names::JOB_NAME;
use crate::operation::{Fidelity, Source, Tier};

/// `type` of the jobs that are alerts.
pub const ALERT: &str = "Alert";

/// What the actions of a job do to its fields `state` and `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobStates {
    /// Types that run all the time; all others work when their schedule says so.
    pub running: &'static [&'static str],
    /// Types that refuse an action which changes nothing.
    pub strict: &'static [&'static str],
}

impl JobStates {
    /// `state` and `status` of a job that is enabled or not. Source: what the tests of the Go and
    /// Java SDKs compare; for the types that they do not show it is a guess.
    #[must_use]
    pub fn of(&self, enabled: bool, job_type: &str) -> (&'static str, &'static str) {
        match (enabled, self.running.contains(&job_type)) {
            (true, true) => (ENABLED, "RUNNING"),
            (true, false) => (ENABLED, "ENABLED"),
            (false, true) => (DISABLED, "STOPPED"),
            (false, false) => (DISABLED, "DISABLED"),
        }
    }
}

/// `state` of a job that works.
pub const ENABLED: &str = "Enabled";
/// `state` of a job that rests.
pub const DISABLED: &str = "Disabled";

/// Values of `type`. Source: Go and Python SDKs, OpenAPI client.
const TYPES: &[&str] =
    &[ALERT, "ETL", "Ingestion", "Export", "ScheduledSQL", "RebuildIndex", "Report", "DownloadJob"];

pub(super) const KINDS: &[&Kind] = &[
    &JOBS,
    &ALERTS,
    &SCHEDULED_SQLS,
    &ETLS,
    &OSS_EXPORTS,
    &OSS_HDFS_EXPORTS,
    &MAX_COMPUTE_EXPORTS,
    &OSS_INGESTIONS,
    &S3_INGESTIONS,
    &ELASTICSEARCH_INGESTIONS,
    &AZURE_BLOB_INGESTIONS,
    &GCS_INGESTIONS,
    &DOWNLOAD_JOBS,
];

const LISTED: List = List {
    filters: &[
        Filter { parameter: "jobName", pointer: "/name", test: Test::Contains },
        Filter { parameter: "jobType", pointer: "/type", test: Test::Is },
        Filter { parameter: "logstore", pointer: "/configuration/logstore", test: Test::Is },
        Filter { parameter: "resourceProvider", pointer: "/configuration/dashboard", test: Test::Is },
    ],
    ..items("results")
};

const JOBS: Kind = Kind {
    stored_as: JOB,
    noun: "Job",
    key: Key::Field("name", &JOB_NAME),
    required: &[("type", Shape::OneOf(TYPES)), ("configuration", Shape::Object)],
    kept: &["type"],
    states: Some(JobStates {
        running: &["ETL", "Export", "RebuildIndex", "DownloadJob"],
        strict: &["Ingestion"],
    }),
    times: (&["createTime"], &["lastModifiedTime", "lastModifyTime"]),
    list: LISTED,
    missing: missing("JobNotExist", "Job {} does not exist"),
    exists: exists("JobAlreadyExist", "Job {} already exists"),
    tier: Tier::B,
    fidelity: Fidelity::Partial("kept with its state; no job ever runs"),
    source: Source::Sdk("python, go: create_job, update_job, list_jobs"),
    calls: calls![
        Create CreateJob POST "/jobs",
        Get GetJob GET "/jobs/{name}",
        Update UpdateJob PUT "/jobs/{name}",
        Act(Action::Enable) EnableJob PUT "/jobs/{name}" ? "action" = "enable",
        Act(Action::Disable) DisableJob PUT "/jobs/{name}" ? "action" = "disable",
        Act(Action::Start) StartJob PUT "/jobs/{name}" ? "action" = "START",
        Act(Action::Stop) StopJob PUT "/jobs/{name}" ? "action" = "STOP",
        Act(Action::Restart) RestartJob PUT "/jobs/{name}" ? "action" = "RESTART",
        Delete DeleteJob DELETE "/jobs/{name}",
        List ListJobs GET "/jobs",
    ],
    ..PLAIN
};

/// The jobs of one type, without the type in the body.
const TYPED: Kind = Kind {
    required: &[("configuration", Shape::Object)],
    source: Source::Docs("OpenAPI sls20201230"),
    ..JOBS
};

const ALERTS: Kind = Kind {
    noun: "Alert",
    fixed: Some(("type", ALERT)),
    calls: calls![
        Create CreateAlert POST "/alerts",
        Get GetAlert GET "/alerts/{name}",
        Update UpdateAlert PUT "/alerts/{name}",
        Act(Action::Enable) EnableAlert PUT "/alerts/{name}" ? "action" = "enable",
        Act(Action::Disable) DisableAlert PUT "/alerts/{name}" ? "action" = "disable",
        Delete DeleteAlert DELETE "/alerts/{name}",
        List ListAlerts GET "/alerts",
    ],
    ..TYPED
};

const SCHEDULED_SQLS: Kind = Kind {
    fixed: Some(("type", "ScheduledSQL")),
    calls: calls![
        Create CreateScheduledSQL POST "/scheduledsqls",
        Get GetScheduledSQL GET "/scheduledsqls/{name}",
        Update UpdateScheduledSQL PUT "/scheduledsqls/{name}",
        Act(Action::Enable) EnableScheduledSQL PUT "/scheduledsqls/{name}" ? "action" = "enable",
        Act(Action::Disable) DisableScheduledSQL PUT "/scheduledsqls/{name}" ? "action" = "disable",
        Delete DeleteScheduledSQL DELETE "/scheduledsqls/{name}",
        List ListScheduledSQLs GET "/scheduledsqls",
    ],
    ..TYPED
};

const ETLS: Kind = Kind {
    fixed: Some(("type", "ETL")),
    calls: calls![
        Create CreateETL POST "/etls",
        Get GetETL GET "/etls/{name}",
        Update UpdateETL PUT "/etls/{name}",
        Act(Action::Start) StartETL PUT "/etls/{name}" ? "action" = "START",
        Act(Action::Stop) StopETL PUT "/etls/{name}" ? "action" = "STOP",
        Delete DeleteETL DELETE "/etls/{name}",
        List ListETLs GET "/etls",
    ],
    ..TYPED
};

/// Exports or ingestions of one product. All products share a job type, so that each of these
/// lists shows those of the others too.
macro_rules! transfers {
    ($kind:ident $type:literal $all:literal $one:literal:
     $create:ident $get:ident $update:ident $start:ident $stop:ident $delete:ident $list:ident) => {
        const $kind: Kind = Kind {
            fixed: Some(("type", $type)),
            tier: Tier::C,
            fidelity: Fidelity::Accepted,
            calls: calls![
                Create $create POST $all,
                Get $get GET $one,
                Update $update PUT $one,
                Act(Action::Start) $start PUT $one ? "action" = "START",
                Act(Action::Stop) $stop PUT $one ? "action" = "STOP",
                Delete $delete DELETE $one,
                List $list GET $all,
            ],
            ..TYPED
        };
    };
}

transfers!(OSS_EXPORTS "Export" "/ossexports" "/ossexports/{name}":
    CreateOSSExport GetOSSExport UpdateOSSExport StartOSSExport StopOSSExport DeleteOSSExport ListOSSExports);
transfers!(OSS_HDFS_EXPORTS "Export" "/osshdfsexports" "/osshdfsexports/{name}":
    CreateOSSHDFSExport GetOSSHDFSExport UpdateOSSHDFSExport StartOSSHDFSExport StopOSSHDFSExport
    DeleteOSSHDFSExport ListOSSHDFSExports);
transfers!(MAX_COMPUTE_EXPORTS "Export" "/maxcomputeexports" "/maxcomputeexports/{name}":
    CreateMaxComputeExport GetMaxComputeExport UpdateMaxComputeExport StartMaxComputeExport
    StopMaxComputeExport DeleteMaxComputeExport ListMaxComputeExports);
transfers!(OSS_INGESTIONS "Ingestion" "/ossingestions" "/ossingestions/{name}":
    CreateOSSIngestion GetOSSIngestion UpdateOSSIngestion StartOSSIngestion StopOSSIngestion
    DeleteOSSIngestion ListOSSIngestions);
transfers!(S3_INGESTIONS "Ingestion" "/s3ingestions" "/s3ingestions/{name}":
    CreateS3Ingestion GetS3Ingestion UpdateS3Ingestion StartS3Ingestion StopS3Ingestion
    DeleteS3Ingestion ListS3Ingestions);
transfers!(ELASTICSEARCH_INGESTIONS "Ingestion" "/elasticsearchingestions" "/elasticsearchingestions/{name}":
    CreateElasticsearchIngestion GetElasticsearchIngestion UpdateElasticsearchIngestion
    StartElasticsearchIngestion StopElasticsearchIngestion DeleteElasticsearchIngestion
    ListElasticsearchIngestions);
transfers!(AZURE_BLOB_INGESTIONS "Ingestion" "/azureblobingestions" "/azureblobingestions/{name}":
    CreateAzureBlobIngestion GetAzureBlobIngestion UpdateAzureBlobIngestion StartAzureBlobIngestion
    StopAzureBlobIngestion DeleteAzureBlobIngestion ListAzureBlobIngestion);
transfers!(GCS_INGESTIONS "Ingestion" "/gcsingestions" "/gcsingestions/{name}":
    CreateGCSIngestion GetGCSIngestion UpdateGCSIngestion StartGCSIngestion StopGCSIngestion
    DeleteGCSIngestion ListGCSIngestions);

const DOWNLOAD_JOBS: Kind = Kind {
    fixed: Some(("type", "DownloadJob")),
    tier: Tier::C,
    fidelity: Fidelity::Accepted,
    calls: calls![
        Create CreateDownloadJob POST "/downloadjobs",
        Get GetDownloadJob GET "/downloadjobs/{name}",
        Delete DeleteDownloadJob DELETE "/downloadjobs/{name}",
        List ListDownloadJobs GET "/downloadjobs",
    ],
    ..TYPED
};
