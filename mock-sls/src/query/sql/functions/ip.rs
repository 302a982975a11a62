//! Functions of IP addresses. Source: document "IP functions".
//!
//! There is no database of places: what an address says by itself (private, shared, local) is
//! known, every other place is empty. Guess: the cloud answers with an empty text where it knows
//! nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rusqlite::{Connection, functions::Context};

use super::{PURE, failed, scalar, texts::text_arg};

pub fn register(db: &Connection) -> rusqlite::Result<()> {
    scalar(db, "sls_ip_domain", 1, PURE, |call| {
        Ok(text_arg(call, 0)?.map(|ip| match ip.trim().parse().map(is_internal) {
            Ok(true) => "intranet",
            Ok(false) => "internet",
            Err(_) => "invalid",
        }))
    })?;
    scalar(db, "sls_ip_place", 1, PURE, |call| Ok(text_arg(call, 0)?.map(|_| "")))?;
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

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy)]
struct Block {
    bits: u32,
    width: u32,
    prefix: u32,
    value: u128,
}

impl Block {
    fn new(ip: IpAddr, prefix: u32) -> Option<Self> {
        let (width, value) = match ip {
            IpAddr::V4(ip) => (32, u128::from(u32::from(ip))),
            IpAddr::V6(ip) => (128, u128::from(ip)),
        };
        (prefix <= width).then_some(Self { bits: width - prefix, width, prefix, value })
    }

    /// `192.0.2.1/24`, or one address.
    fn parse(text: &str) -> Option<Self> {
        let (ip, prefix) = match text.trim().split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix.parse().ok()?)),
            None => (text.trim(), None),
        };
        let ip: IpAddr = ip.parse().ok()?;
        Self::new(ip, prefix.unwrap_or(if ip.is_ipv4() { 32 } else { 128 }))
    }

    fn rest(&self) -> u128 {
        1u128.checked_shl(self.bits).map_or(u128::MAX, |end| end - 1)
    }

    fn first(&self) -> IpAddr {
        self.address(self.value & !self.rest())
    }

    fn last(&self) -> IpAddr {
        self.address(self.value | self.rest())
    }

    fn address(&self, value: u128) -> IpAddr {
        match self.width {
            32 => IpAddr::V4(Ipv4Addr::from(value as u32)),
            _ => IpAddr::V6(Ipv6Addr::from(value)),
        }
    }

    fn contains(&self, inner: &Self) -> bool {
        self.width == inner.width
            && self.prefix <= inner.prefix
            && self.value & !self.rest() == inner.value & !self.rest()
    }
}

fn block_arg(call: &Context<'_>, index: usize) -> rusqlite::Result<Option<Block>> {
    let Some(text) = text_arg(call, index)? else { return Ok(None) };
    let block = Block::parse(text);
    block.map(Some).ok_or_else(|| failed(format!("Cannot cast value to IPPREFIX: {text}")))
}
