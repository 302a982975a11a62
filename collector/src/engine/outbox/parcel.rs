//! What is handed to the server's side, and how its fate comes back.

use std::sync::Arc;

use bytes::Bytes;
use sls_api::codec::Compression;
use sls_api::sign::{Md5, md5_of_each};

use crate::checkpoint::{Numbers, ParcelId};
use crate::engine::tracked::FileKey;
use crate::pipeline::Destination;

/// A LogGroup of one file, compressed.
#[derive(Debug, Clone)]
pub struct PackedGroup {
    pub file: FileKey,
    pub body: Bytes,
    /// MD5 of the body, if it was made together with others.
    pub digest: Option<Md5>,
    pub compression: Compression,
    /// Bytes before compression.
    pub raw_bytes: usize,
    /// Bytes of the log file that the logs were made of.
    pub source_bytes: u64,
    pub logs: u32,
}

/// One request under way.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub id: ParcelId,
    pub destination: Arc<Destination>,
    pub route: Route,
    /// At least one; exactly one if the route names a key. Parcels with groups of the same file must
    /// arrive in the order in which they were given.
    pub groups: Vec<PackedGroup>,
}

impl Parcel {
    /// Makes the MD5s of parcels together, which takes a fraction of the time of one after the other. One alone
    /// is left to whoever signs it.
    pub fn digest_together(parcels: &mut [Self]) {
        let mut groups: Vec<&mut PackedGroup> = parcels
            .iter_mut()
            .filter_map(|parcel| match parcel.groups.as_mut_slice() {
                [one] => Some(one),
                _ => None, // travels as a list, whose bytes are made when it is sent
            })
            .collect();
        if groups.len() < 2 {
            return;
        }
        let bodies: Vec<Bytes> = groups.iter().map(|group| group.body.clone()).collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(|body| &**body).collect();
        for (group, digest) in groups.iter_mut().zip(md5_of_each(&bodies)) {
            group.digest = Some(digest);
        }
    }
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Acknowledged,
    /// Refused for good; `logs_lost` of its logs are gone (some may have been delivered).
    Refused {
        logs_lost: u32,
    },
}

/// Takes parcels to the server; reports each one's outcome to the engine, at some time.
pub trait Carrier: Send {
    fn carry(&mut self, parcel: Parcel);

    /// Nothing more will come for this destination, and nothing is under way.
    fn forget(&mut self, _destination: &Destination) {}

    /// What is under way to a destination that was wrong from the start goes to another one.
    fn redirect(&mut self, _from: &Destination, _to: &Destination) {}
}

/// How a parcel finds its shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The server chooses.
    Any,
    /// The shard that owns this hash key.
    Key(Arc<str>),
    /// The same, with numbers that a server takes once. `slot` tells the keys of one file apart: parcels
    /// of one slot must arrive in their order, those of different ones need not.
    Numbered { key: Arc<str>, slot: u16, numbers: Numbers },
}
