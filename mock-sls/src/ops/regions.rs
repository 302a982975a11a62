//! Regions: there is one, this server's.

use sls_api::Json;
use sls_api::ops::regions::{DescribeRegions, GetDirectModeIp, HostIp, Region, RegionList};

use crate::error::ApiError;
use crate::route::{Call, Operations};

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(describe).op(direct_mode_ip)
}

/// Every endpoint of the region is this server: where agents are sent to, or else the name that
/// the region has in the cloud, which clients reach through this server as their proxy.
async fn describe(call: Call<DescribeRegions>) -> Result<Json<RegionList>, ApiError> {
    let app = &call.context.app;
    let region = app.region.clone();
    let endpoint = app.advertise.clone().unwrap_or_else(|| format!("{region}.log.aliyuncs.com"));
    Ok(Json(RegionList {
        regions: vec![Region {
            local_name: region.clone(),
            internet_endpoint: endpoint.clone(),
            intranet_endpoint: endpoint.clone(),
            internal_endpoint: endpoint,
            data_redundancy_type: vec!["LRS".to_owned()],
            region,
        }],
    }))
}

async fn direct_mode_ip(call: Call<GetDirectModeIp>) -> Result<HostIp, ApiError> {
    Ok(HostIp(call.context.app.host_ip.to_string()))
}
