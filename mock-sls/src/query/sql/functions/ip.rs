//! Functions of IP addresses. Source: document "IP functions".
//!
//! What an address says by itself (private, shared, local) is known; its place is what the server's
//! file says, see [`IpPlaces`], and else empty. Guess: the cloud answers with an empty text where it
//! knows nothing.

use std::{net::IpAddr, sync::Arc};

use rusqlite::functions::Context;

use super::{PURE, Registrar, failed, scalar, texts::text_arg};
use crate::query::sql::places::{Block, IpPlaces};

pub fn register(db: &Registrar<'_>, places: &Arc<IpPlaces>) -> rusqlite::Result<()> {
    scalar(db, "sls_ip_domain", 1, PURE, |call| {
        Ok(text_arg(call, 0)?.map(|ip| match ip.trim().parse().map(is_internal) {
            Ok(true) => "intranet",
            Ok(false) => "internet",
            Err(_) => "invalid",
        }))
    })?;
    let places = places.clone();
    scalar(db, "sls_ip_place", 2, PURE, move |call| {
        let (Some(ip), Some(column)) = (text_arg(call, 0)?, text_arg(call, 1)?) else { return Ok(None) };
        Ok(Some(places.find(ip, column).unwrap_or_default().to_owned()))
    })?;
    scalar(db, "sls_ip_prefix", 2, PURE, |call| {
        let (Some(ip), Some(bits)) = (text_arg(call, 0)?, call.get::<Option<i64>>(1)?) else {
            return Ok(None);
        };
        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
        let block = ip.trim().parse().ok().and_then(|ip| Block::new(ip, bits));
        let block = block.ok_or_else(|| failed(format!("Cannot cast value to IPPREFIX: {ip}/{bits}")))?;
        Ok(Some(format!("{}/{bits}", block.first())))
    })?;
    scalar(db, "sls_ip_subnet_min", 1, PURE, |call| {
        Ok(block_arg(call, 0)?.map(|block| block.first().to_string()))
    })?;
    scalar(db, "sls_ip_subnet_max", 1, PURE, |call| {
        Ok(block_arg(call, 0)?.map(|block| block.last().to_string()))
    })?;
    scalar(db, "sls_ip_subnet_range", 1, PURE, |call| {
        Ok(block_arg(call, 0)?.map(|block| {
            serde_json::Value::from_iter([block.first().to_string(), block.last().to_string()]).to_string()
        }))
    })?;
    scalar(db, "sls_is_subnet_of", 2, PURE, |call| {
        let (Some(outer), Some(inner)) = (block_arg(call, 0)?, block_arg(call, 1)?) else { return Ok(None) };
        Ok(Some(outer.contains(&inner)))
    })
}

/// Private, loopback, link-local and shared addresses. Source: RFC 1918, 6598, 3927, 4193.
fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || a == 100 && (64..128).contains(&b)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            ip.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}

fn block_arg(call: &Context<'_>, index: usize) -> rusqlite::Result<Option<Block>> {
    let Some(text) = text_arg(call, index)? else { return Ok(None) };
    let block = Block::parse(text);
    block.map(Some).ok_or_else(|| failed(format!("Cannot cast value to IPPREFIX: {text}")))
}
