//! Regions: there is one, this server's.

use sls_api::operation::{Payload, WireBody};
use sls_api::ops::regions::{DescribeRegions, GetDirectModeIp, HostIp, Region, RegionList};
use sls_api::{Json, Operation};

use crate::error::ApiError;
use crate::route::{Call, Context, Operations, Raw};

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_raw(DescribeRegions::ENDPOINT, describe).op(direct_mode_ip)
}

/// Every endpoint of the region is this server, as the caller reaches it. One whose proxy this
/// server is asks by a name of the cloud, and is told that.
async fn describe(context: Context, raw: Raw) -> Result<Payload, ApiError> {
    let app = &context.app;
    let region = app.region.clone();
    let here = app.here(&raw.payload.headers);
    let endpoint = app.hosts.endpoint(&here).to_owned();
    let list: <DescribeRegions as Operation>::Reply = Json(RegionList {
        regions: vec![Region {
            local_name: region.clone(),
            internet_endpoint: endpoint.clone(),
            intranet_endpoint: endpoint.clone(),
            internal_endpoint: endpoint,
            data_redundancy_type: vec!["LRS".to_owned()],
            region,
        }],
    });
    Ok(list.to_payload())
}

async fn direct_mode_ip(call: Call<GetDirectModeIp>) -> Result<HostIp, ApiError> {
    Ok(HostIp(call.context.app.host_ip.to_string()))
}
