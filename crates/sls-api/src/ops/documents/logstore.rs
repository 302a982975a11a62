//! Documents of a Logstore: shippers, sub-stores and settings.

use super::calls::{PLAIN, calls, exists, missing, names};
use super::stored_as::{SHIPPER, SUB_STORE};
use super::{Key, Kind, Place, Shape, stored_as};
use crate::names::COLLECTED_NAME;
use crate::operation::Source;

pub(super) const KINDS: &[&Kind] = &[
    &SHIPPERS,
    &SUB_STORES,
    &METERING_MODE,
    &METRIC_STORE_METERING_MODE,
    &ENCRYPTION,
    &PROCESSOR,
    &METRIC_STORE_PROCESSOR,
    &MULTIMODAL,
    &LOGSTORE_CONFIG,
];

const IN_LOGSTORE: Kind = Kind { place: Place::Logstore, times: (&[], &[]), ..PLAIN };

const SHIPPERS: Kind = Kind {
    stored_as: SHIPPER,
    noun: "shipper",
    key: Key::Field("shipperName", &COLLECTED_NAME),
    required: &[("targetType", Shape::Text), ("targetConfiguration", Shape::Object)],
    times: (&["createTime"], &["lastModifyTime"]),
    list: names("shipper"),
    missing: missing("ShipperNotExist", "The shipper {} does not exist"),
    exists: exists("ShipperAlreadyExist", "shipper {} already exists"),
    source: Source::Sdk("python, go: create_shipper"),
    calls: calls![
        Create CreateShipper POST "/logstores/{logstore}/shipper",
        Get GetShipper GET "/logstores/{logstore}/shipper/{name}",
        Update UpdateShipper PUT "/logstores/{logstore}/shipper/{name}",
        Delete DeleteShipper DELETE "/logstores/{logstore}/shipper/{name}",
        List ListShipper GET "/logstores/{logstore}/shipper",
    ],
    ..IN_LOGSTORE
};

const SUB_STORES: Kind = Kind {
    stored_as: SUB_STORE,
    noun: "substore",
    key: Key::Field("name", &COLLECTED_NAME),
    required: &[("keys", Shape::List)],
    list: names("substores"),
    missing: missing("SubStoreNotExist", "substore {} does not exist"),
    exists: exists("SubStoreAlreadyExist", "substore {} already exists"),
    source: Source::Sdk("python, go: create_substore"),
    calls: calls![
        Create CreateSubStore POST "/logstores/{logstore}/substores",
        Get GetSubStore GET "/logstores/{logstore}/substores/{name}",
        Update UpdateSubStore PUT "/logstores/{logstore}/substores/{name}",
        Delete DeleteSubStore DELETE "/logstores/{logstore}/substores/{name}",
        List ListSubStore GET "/logstores/{logstore}/substores",
    ],
    ..IN_LOGSTORE
};

/// Values of `meteringMode`. Source: Go SDK.
const METERING_MODES: Shape = Shape::OneOf(&["ChargeByFunction", "ChargeByDataIngest"]);

const METERING_MODE: Kind = Kind {
    stored_as: stored_as::METERING_MODE,
    noun: "metering mode",
    required: &[("meteringMode", METERING_MODES)],
    default: Some(r#"{"meteringMode":"ChargeByFunction"}"#),
    source: Source::Sdk("go: GetMeteringMode"),
    calls: calls![
        Get GetLogStoreMeteringMode GET "/logstores/{logstore}/meteringmode",
        Put UpdateLogStoreMeteringMode PUT "/logstores/{logstore}/meteringmode",
    ],
    ..IN_LOGSTORE
};

const METRIC_STORE_METERING_MODE: Kind = Kind {
    calls: calls![
        Get GetMetricStoreMeteringMode GET "/metricstores/{logstore}/meteringmode",
        Put UpdateMetricStoreMeteringMode PUT "/metricstores/{logstore}/meteringmode",
    ],
    ..METERING_MODE
};

const ENCRYPTION: Kind = Kind {
    stored_as: "encryption",
    noun: "encryption",
    required: &[("enable", Shape::Bool)],
    calls: calls![Put UpdateLogStoreEncryption PUT "/logstores/{logstore}/encryption"],
    ..IN_LOGSTORE
};

const PROCESSOR: Kind = Kind {
    stored_as: "processor",
    noun: "processor",
    calls: calls![Put UpdateLogStoreProcessor POST "/logstores/{logstore}/processor"],
    ..IN_LOGSTORE
};

const METRIC_STORE_PROCESSOR: Kind = Kind {
    calls: calls![Put UpdateMetricStoreProcessor POST "/metricstores/{logstore}/processor"],
    ..PROCESSOR
};

const MULTIMODAL: Kind = Kind {
    stored_as: "multimodal",
    noun: "multimodal configuration",
    required: &[("status", Shape::OneOf(&["Enabled", "Disabled"]))],
    default: Some(r#"{"status":"Disabled","anonymousWrite":"Disabled"}"#),
    source: Source::Sdk("go: PutLogStoreMultimodalConfiguration"),
    calls: calls![
        Get GetLogStoreMultimodalConfiguration GET "/logstores/{logstore}/multimodalconfiguration",
        Put PutLogStoreMultimodalConfiguration PUT "/logstores/{logstore}/multimodalconfiguration",
    ],
    ..IN_LOGSTORE
};

const LOGSTORE_CONFIG: Kind = Kind {
    stored_as: "logstoreconfig",
    noun: "logstore config",
    default: Some("{}"),
    calls: calls![
        Get GetLogStoreConfig GET "/logstores/{logstore}/config",
        Put PutLogStoreConfig PUT "/logstores/{logstore}/config",
    ],
    ..IN_LOGSTORE
};
