//! Documents of a project: what people look at, and settings.

use super::calls::{PLAIN, calls, exists, items, missing, names};
use super::stored_as::{
    DASHBOARD, DOMAIN, ETL_JOB, ETL_META, EXTERNAL_STORE, LOGGING as STORED_LOGGING, METRICS_CONFIG,
    PIPELINE_CONFIG, SAVED_SEARCH, STORE_VIEW,
};
use super::{Filter, Key, Kind, List, Shape, Test};
use crate::names::{
    COLLECTED_NAME, CONFIG_NAME, DASHBOARD_NAME, DOMAIN_NAME, EXTERNAL_STORE_NAME, LOGSTORE_NAME,
    SAVED_SEARCH_NAME,
};
use crate::operation::{Fidelity, Source, Tier};

pub(super) const KINDS: &[&Kind] = &[
    &SAVED_SEARCHES,
    &DASHBOARDS,
    &PIPELINE_CONFIGS,
    &STORE_VIEWS,
    &EXTERNAL_STORES,
    &MATERIALIZED_VIEWS,
    &METRICS_CONFIGS,
    &ETL_JOBS,
    &ETL_METAS,
    &DOMAINS,
    &CONSUME_PROCESSORS,
    &INGEST_PROCESSORS,
    &LOGGING,
    &SQL_INSTANCE,
    &CNAME,
    &TRANSFER_ACCELERATION,
    &RESOURCE_POLICIES,
    &SHIPPER_MIGRATIONS,
];

/// Source: JavaSDK SavedSearchTest, whose query of 65535 characters is too long.
const SAVED_SEARCH_BYTES_MAX: usize = 64 * 1024;

const SAVED_SEARCHES: Kind = Kind {
    stored_as: SAVED_SEARCH,
    noun: "savedsearch",
    key: Key::Field("savedsearchName", &SAVED_SEARCH_NAME),
    required: &[("logstore", Shape::Text), ("searchQuery", Shape::Text)],
    list: List {
        names: "savedsearches",
        items: "savedsearchItems",
        item_fields: &["savedsearchName", "displayName"],
        filters: &[Filter {
            parameter: "savedsearchName",
            pointer: "/savedsearchName",
            test: Test::Contains,
        }],
        ..PLAIN.list
    },
    missing: missing("SavedSearchNotExist", "specified savedsearch does not exist"),
    exists: exists("SavedSearchAlreadyExist", "specified savedsearch already exists"),
    times: (&[], &[]),
    bytes_max: Some(SAVED_SEARCH_BYTES_MAX),
    tier: Tier::B,
    fidelity: Fidelity::Full,
    source: Source::Sdk("python, go, java: create_savedsearch"),
    calls: calls![
        Create CreateSavedSearch POST "/savedsearches",
        Get GetSavedSearch GET "/savedsearches/{name}",
        Update UpdateSavedSearch PUT "/savedsearches/{name}",
        Delete DeleteSavedSearch DELETE "/savedsearches/{name}",
        List ListSavedSearch GET "/savedsearches",
    ],
    ..PLAIN
};

const DASHBOARDS: Kind = Kind {
    stored_as: DASHBOARD,
    noun: "dashboard",
    key: Key::Field("dashboardName", &DASHBOARD_NAME),
    list: List {
        names: "dashboards",
        items: "dashboardItems",
        item_fields: &["dashboardName", "displayName", "description"],
        filters: &[Filter { parameter: "dashboardName", pointer: "/dashboardName", test: Test::Contains }],
        ..PLAIN.list
    },
    missing: missing("DashboardNotExist", "specified dashboard does not exist"),
    exists: exists("ParameterInvalid", "specified dashboard already exists"),
    invalid_name: Some("InvalidDashboardName"),
    tier: Tier::B,
    fidelity: Fidelity::Full,
    source: Source::Sdk("python, go, java: create_dashboard"),
    calls: calls![
        Create CreateDashboard POST "/dashboards",
        Get GetDashboard GET "/dashboards/{name}",
        Update UpdateDashboard PUT "/dashboards/{name}",
        Delete DeleteDashboard DELETE "/dashboards/{name}",
        List ListDashboard GET "/dashboards",
    ],
    ..PLAIN
};

/// Logtail configs in the form that agents work with. Machine groups give them to agents as they give the
/// classic ones, and names are unique among both.
const PIPELINE_CONFIGS: Kind = Kind {
    stored_as: PIPELINE_CONFIG,
    noun: "pipeline config",
    key: Key::Field("configName", &CONFIG_NAME),
    required: &[("inputs", Shape::List), ("flushers", Shape::List)],
    list: List {
        filters: &[
            Filter { parameter: "configName", pointer: "/configName", test: Test::Contains },
            Filter { parameter: "logstoreName", pointer: "/flushers/0/Logstore", test: Test::Is },
        ],
        ..names("configs")
    },
    missing: missing("ConfigNotExist", "Config {} not exist"),
    exists: exists("ConfigAlreadyExist", "config {} already exists"),
    tier: Tier::B,
    fidelity: Fidelity::Full,
    source: Source::Sdk("python: create_logtail_pipeline_config"),
    calls: calls![
        Create CreateLogtailPipelineConfig POST "/pipelineconfigs",
        Get GetLogtailPipelineConfig GET "/pipelineconfigs/{name}",
        Update UpdateLogtailPipelineConfig PUT "/pipelineconfigs/{name}",
        Delete DeleteLogtailPipelineConfig DELETE "/pipelineconfigs/{name}",
        List ListLogtailPipelineConfig GET "/pipelineconfigs",
    ],
    ..PLAIN
};

/// The stores of a view need not exist; see `GetStoreViewIndex`.
const STORE_VIEWS: Kind = Kind {
    stored_as: STORE_VIEW,
    noun: "store view",
    key: Key::Field("name", &LOGSTORE_NAME),
    required: &[("storeType", Shape::OneOf(&["logstore", "metricstore"])), ("stores", Shape::List)],
    kept: &["name", "storeType"],
    list: List {
        filters: &[
            Filter { parameter: "name", pointer: "/name", test: Test::Contains },
            Filter { parameter: "storeType", pointer: "/storeType", test: Test::Is },
        ],
        ..names("storeviews")
    },
    missing: missing("StoreViewNotExist", "store view {} does not exist"),
    exists: exists("StoreViewAlreadyExist", "store view {} already exists"),
    source: Source::Sdk("python, go: create_store_view"),
    calls: calls![
        Create CreateStoreView POST "/storeviews",
        Get GetStoreView GET "/storeviews/{name}",
        Update UpdateStoreView PUT "/storeviews/{name}",
        Delete DeleteStoreView DELETE "/storeviews/{name}",
        List ListStoreViews GET "/storeviews",
    ],
    ..PLAIN
};

const EXTERNAL_STORES: Kind = Kind {
    stored_as: EXTERNAL_STORE,
    noun: "external store",
    key: Key::Field("externalStoreName", &EXTERNAL_STORE_NAME),
    required: &[("storeType", Shape::OneOf(&["rds-vpc", "oss", "csv"])), ("parameter", Shape::Object)],
    list: List {
        filters: &[Filter {
            parameter: "externalStoreName",
            pointer: "/externalStoreName",
            test: Test::Contains,
        }],
        ..names("externalstores")
    },
    fidelity: Fidelity::Partial("csv files can be joined in SQL; databases elsewhere are not read"),
    missing: missing("ExternalStoreNotExist", "external store {} does not exist"),
    exists: exists("LogStoreAlreadyExist", "external store {} already exists"),
    source: Source::Sdk("python, java: create_external_store"),
    calls: calls![
        Create CreateExternalStore POST "/externalstores",
        Get GetExternalStore GET "/externalstores/{name}",
        Update UpdateExternalStore PUT "/externalstores/{name}",
        Delete DeleteExternalStore DELETE "/externalstores/{name}",
        List ListExternalStore GET "/externalstores",
    ],
    ..PLAIN
};

const MATERIALIZED_VIEWS: Kind = Kind {
    stored_as: "materializedview",
    noun: "materialized view",
    key: Key::Field("name", &COLLECTED_NAME),
    required: &[("logstore", Shape::Text), ("originalSql", Shape::Text)],
    logstores: &["logstore"],
    kept: &["logstore", "originalSql"],
    list: List {
        filters: &[
            Filter { parameter: "name", pointer: "/name", test: Test::Contains },
            Filter { parameter: "logstore", pointer: "/logstore", test: Test::Is },
        ],
        ..names("materializedViews")
    },
    missing: missing("MaterializedViewNotExist", "materialized view {} does not exist"),
    exists: exists("MaterializedViewAlreadyExist", "materialized view {} already exists"),
    calls: calls![
        Create CreateMaterializedView POST "/materializedviews",
        Get GetMaterializedView GET "/materializedviews/{name}",
        Update UpdateMaterializedView PUT "/materializedviews/{name}",
        Delete DeleteMaterializedView DELETE "/materializedviews/{name}",
        List ListMaterializedViews GET "/materializedviews",
    ],
    ..PLAIN
};

const METRICS_CONFIGS: Kind = Kind {
    stored_as: METRICS_CONFIG,
    noun: "metrics config",
    key: Key::Field("metricStore", &LOGSTORE_NAME),
    required: &[("metricsConfigDetail", Shape::Text)],
    list: List {
        filters: &[Filter { parameter: "metricStore", pointer: "/metricStore", test: Test::Contains }],
        ..items("metricsConfig")
    },
    missing: missing("MetricsConfigNotExist", "metrics config of {} does not exist"),
    exists: exists("MetricsConfigAlreadyExist", "metrics config of {} already exists"),
    source: Source::Sdk("go: CreateMetricConfig; java: MetricsConfigFunctionTest"),
    calls: calls![
        Create CreateMetricsConfig POST "/metricsconfigs",
        Get GetMetricsConfig GET "/metricsconfigs/{name}",
        Update UpdateMetricsConfig PUT "/metricsconfigs/{name}",
        Delete DeleteMetricsConfig DELETE "/metricsconfigs/{name}",
        List ListMetricsConfig GET "/metricsconfigs",
    ],
    ..PLAIN
};

const ETL_JOBS: Kind = Kind {
    stored_as: ETL_JOB,
    noun: "etl job",
    key: Key::Field("etlJobName", &COLLECTED_NAME),
    list: names("etlJobNameList"),
    missing: missing("EtlJobNotExist", "etl job {} does not exist"),
    exists: exists("EtlJobAlreadyExist", "etl job {} already exists"),
    source: Source::Sdk("go: CreateETLJob"),
    calls: calls![
        Create CreateEtlJob POST "/etljobs",
        Get GetEtlJob GET "/etljobs/{name}",
        Update UpdateEtlJob PUT "/etljobs/{name}",
        Delete DeleteEtlJob DELETE "/etljobs/{name}",
        List ListEtlJob GET "/etljobs",
    ],
    ..PLAIN
};

/// Named by two fields; their names alone are listed by `ListEtlMetaName`.
const ETL_METAS: Kind = Kind {
    stored_as: ETL_META,
    noun: "etl meta",
    key: Key::Query(&["etlMetaName", "etlMetaKey"]),
    required: &[("etlMetaName", Shape::Text), ("etlMetaKey", Shape::Text)],
    texts: &["etlMetaValue"],
    list: List {
        filters: &[
            Filter { parameter: "etlMetaName", pointer: "/etlMetaName", test: Test::Is },
            Filter { parameter: "etlMetaKey", pointer: "/etlMetaKey", test: Test::Is },
            Filter {
                parameter: "etlMetaTag",
                pointer: "/etlMetaTag",
                test: Test::IsUnless("__all_etl_meta_tag_match__"),
            },
        ],
        ..items("etlMetaList")
    },
    missing: missing("EtlMetaNotExist", "etl meta {} does not exist"),
    exists: exists("EtlMetaAlreadyExist", "etl meta {} already exists"),
    source: Source::Sdk("go: CreateEtlMeta"),
    calls: calls![
        Create CreateEtlMeta POST "/etlmetas",
        Update UpdateEtlMeta PUT "/etlmetas",
        Delete DeleteEtlMeta DELETE "/etlmetas",
        List ListEtlMeta GET "/etlmetas",
    ],
    ..PLAIN
};

/// A project has one at most. Source: JavaSDK DomainTest.
const DOMAINS: Kind = Kind {
    stored_as: DOMAIN,
    noun: "domain",
    key: Key::Field("domainName", &DOMAIN_NAME),
    list: List {
        filters: &[Filter { parameter: "domainName", pointer: "/domainName", test: Test::Contains }],
        ..names("domains")
    },
    missing: missing("DomainNotExist", "domain {} does not exist"),
    exists: exists("ExceedQuota", "domain quota exceed"),
    calls: calls![
        Create CreateDomain POST "/domains",
        Delete DeleteDomain DELETE "/domains/{name}",
        List ListDomains GET "/domains",
    ],
    ..PLAIN
};

const CONSUME_PROCESSORS: Kind = Kind {
    stored_as: "consumeprocessor",
    noun: "consume processor",
    key: Key::Field("processorName", &COLLECTED_NAME),
    required: &[("configuration", Shape::Object)],
    list: items("processors"),
    missing: missing("ProcessorNotExist", "consume processor {} does not exist"),
    calls: calls![
        Put PutConsumeProcessor PUT "/consumeprocessors/{name}",
        Get GetConsumeProcessor GET "/consumeprocessors/{name}",
        Delete DeleteConsumeProcessor DELETE "/consumeprocessors/{name}",
        List ListConsumeProcessors GET "/consumeprocessors",
    ],
    ..PLAIN
};

const INGEST_PROCESSORS: Kind = Kind {
    stored_as: "ingestprocessor",
    noun: "ingest processor",
    key: Key::Field("processorName", &COLLECTED_NAME),
    required: &[("configuration", Shape::Object)],
    list: items("processors"),
    missing: missing("ProcessorNotExist", "ingest processor {} does not exist"),
    calls: calls![
        Put PutIngestProcessor PUT "/ingestprocessors/{name}",
        Get GetIngestProcessor GET "/ingestprocessors/{name}",
        Delete DeleteIngestProcessor DELETE "/ingestprocessors/{name}",
        List ListIngestProcessors GET "/ingestprocessors",
    ],
    ..PLAIN
};

const LOGGING: Kind = Kind {
    stored_as: STORED_LOGGING,
    noun: "logging",
    required: &[("loggingProject", Shape::Text), ("loggingDetails", Shape::List)],
    times: (&[], &[]),
    missing: missing("LoggingNotExist", "Logging does not exist for project '{project}'"),
    exists: exists("LoggingAlreadyExist", "Logging already exists for project '{project}'"),
    source: Source::Sdk("go: CreateLogging; java: LoggingFunctionTest"),
    calls: calls![
        Create CreateLogging POST "/logging",
        Get GetLogging GET "/logging",
        Update UpdateLogging PUT "/logging",
        Delete DeleteLogging DELETE "/logging",
    ],
    ..PLAIN
};

const SQL_INSTANCE: Kind = Kind {
    stored_as: "sqlinstance",
    noun: "sql instance",
    required: &[("cu", Shape::Number)],
    missing: missing("SqlInstanceNotExist", "sql instance does not exist"),
    exists: exists("SqlInstanceAlreadyExist", "sql instance already exists"),
    source: Source::Sdk("python: create_sql_instance"),
    calls: calls![
        Create CreateSqlInstance POST "/sqlinstance",
        Get GetSqlInstance GET "/sqlinstance",
        Update UpdateSqlInstance PUT "/sqlinstance",
    ],
    ..PLAIN
};

const CNAME: Kind = Kind {
    stored_as: "cname",
    noun: "cname",
    key: Key::Single,
    missing: missing("CnameNotExist", "the project has no cname"),
    exists: exists("CnameAlreadyExist", "the project has a cname already"),
    source: Source::Guess("paths only are known from the SDKs"),
    calls: calls![
        Put PutCname PUT "/cname",
        Create CreateCname POST "/cname",
        Get GetCname GET "/cname",
        Delete DeleteCname DELETE "/cname",
    ],
    ..PLAIN
};

const TRANSFER_ACCELERATION: Kind = Kind {
    stored_as: "transferacceleration",
    noun: "transfer acceleration",
    required: &[("enabled", Shape::Bool)],
    calls: calls![Put PutProjectTransferAcceleration PUT "/transferacceleration"],
    ..PLAIN
};

const RESOURCE_POLICIES: Kind = Kind {
    stored_as: "resourcepolicy",
    noun: "resource policy",
    key: Key::Query(&["resourceType", "resourceName"]),
    required: &[("resourceType", Shape::Text), ("policyDocument", Shape::Text)],
    revision: Some("revision"),
    times: (&["createTime"], &["updateTime"]),
    missing: missing("ResourcePolicyNotExist", "resource policy of {} does not exist"),
    source: Source::Sdk("python: put_resource_policy"),
    calls: calls![
        Put PutResourcePolicy PUT "/resource-policies",
        Get GetResourcePolicy GET "/resource-policies",
        Delete DeleteResourcePolicy DELETE "/resource-policies",
    ],
    ..PLAIN
};

/// From a shipper to the job that does the same. The Java SDK takes every text and the number of retries for
/// granted; it reads the number from a text too.
const SHIPPER_MIGRATIONS: Kind = Kind {
    stored_as: "shippermigration",
    noun: "shipper migration",
    key: Key::Field("name", &COLLECTED_NAME),
    required: &[("logstore", Shape::Text), ("shipperName", Shape::Text)],
    logstores: &["logstore"],
    unset: &[("shipperType", ""), ("exportLink", ""), ("state", ""), ("retryCount", "0"), ("message", "")],
    times: (&["createTime"], &["updateTime"]),
    list: items("migrations"),
    missing: missing("ShipperMigrationNotExist", "shipper migration {} does not exist"),
    exists: exists("ShipperMigrationAlreadyExist", "shipper migration {} already exists"),
    fidelity: Fidelity::Partial("stored and returned; nothing is migrated"),
    source: Source::Sdk("java: createShipperMigration"),
    calls: calls![
        Create CreateShipperMigration POST "/shippermigrations",
        Get GetShipperMigration GET "/shippermigrations/{name}",
        List ListShipperMigration GET "/shippermigrations",
    ],
    ..PLAIN
};
