//! How accounts are made, and how groups of logs come.

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::stock::PackMark;
use super::{Field, LISTED_DEFAULT};

/// How accounts are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where a log says which one it is.
    pub identity: Identity,
    /// Within what the logs of a source must be in order.
    pub order_within: OrderWithin,
    /// A log is late if it is received so many ms after it was written; without this none is.
    pub late_after_ms: Option<u64>,
    /// How many of each kind are named, at most [`LISTED_MAX`].
    pub listed_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            identity: Identity::InText,
            order_within: OrderWithin::Logstore,
            late_after_ms: None,
            listed_max: LISTED_DEFAULT,
        }
    }
}

/// Within what the logs of a source must be in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderWithin {
    /// In the order in which the groups are handed in, whatever their shard.
    #[default]
    Logstore,
    /// Only against logs of the same shard, which is all that the service promises: for readers that read one
    /// shard after the other.
    Shard,
}

/// Options that make no sense with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOptions {
    /// A log would not say of which run it is.
    #[error(
        "the ledger has several runs, and no field is named that holds the run: name one, or split the ledger"
    )]
    NoRunField,
}

/// How a group of logs came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival<'a> {
    /// What its sender calls it: the value of its tag [`PACK_ID_TAG`].
    pub pack_id: Option<&'a [u8]>,
    /// CRC-32 of its bytes, by which it is known again if it has no pack id.
    pub bytes_crc32: Option<u32>,
    /// The shard it is in.
    pub shard: u32,
    /// When it was received, Unix ms.
    pub received_ms: u64,
    /// What its logs have in common and may be named by [`Identity::Fields`], with the names that queries show
    /// (`__source__`, `__tag__:__hostname__`).
    pub tags: &'a [Field<'a>],
}

impl Arrival<'_> {
    pub(super) fn mark(&self) -> PackMark {
        let mark = match (self.pack_id.filter(|id| !id.is_empty()), self.bytes_crc32) {
            (Some(id), _) => crc32fast::hash(id),
            (None, Some(crc32)) => crc32,
            (None, None) => return 0,
        };
        mark.max(1)
    }
}
