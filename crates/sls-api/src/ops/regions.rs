//! Regions, and how a client reaches one.

use serde::{Deserialize, Serialize};

use crate::{
    Json, NoPath, NoQuery,
    operation::{Fidelity, Source, operation, query},
};

/// Parameters of [`DescribeRegions`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DescribeRegionsQuery {
    /// Language of `localName`: `zh`, `ja` or `en`.
    #[serde(deserialize_with = "query::opt", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// All regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionList {
    /// The regions.
    pub regions: Vec<Region>,
}

/// A region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    /// Id, e.g. `cn-hangzhou`.
    pub region: String,
    /// Name for people.
    pub local_name: String,
    /// Endpoint for everyone.
    pub internet_endpoint: String,
    /// Endpoint inside the cloud.
    pub intranet_endpoint: String,
    /// Endpoint inside the cloud, other networks.
    pub internal_endpoint: String,
    /// `LRS`, `ZRS`.
    pub data_redundancy_type: Vec<String>,
}

operation!(
    /// Lists the regions.
    DescribeRegions: GET "/regions", Account, B, Fidelity::Partial("one region, this server's, with the address at which it was asked, or which it advertises"), Source::Sdk("go: DescribeRegions"),
    NoPath, DescribeRegionsQuery, () => Json<RegionList>);
operation!(
    /// Tells the real address of the service, in a header.
    GetDirectModeIp: GET "/direct_mode_ip", Either, C, Fidelity::Partial("the address at which the server listens, without its port, for which the header has no place"), Source::Sdk("java: GetServerIp; header x-log-hostip"),
    NoPath, NoQuery, () => HostIp);

/// An answer that is only a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostIp(pub String);

impl crate::WireBody for HostIp {
    fn to_payload(&self) -> crate::Payload {
        let mut payload = crate::Payload::default();
        payload.set_header(crate::header::HOST_IP, &self.0);
        payload
    }
    fn from_payload(payload: crate::Payload) -> Result<Self, crate::operation::DecodeError> {
        Ok(Self(payload.header(crate::header::HOST_IP).unwrap_or_default().to_owned()))
    }
    fn shape() -> crate::operation::shape::Shape {
        crate::operation::shape::Shape::Nothing
    }
}
