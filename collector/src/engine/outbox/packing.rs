//! Compressing groups and making their digests, on the reader's thread or on several.

use bytes::{Bytes, BytesMut};
use sls_api::codec::{Compression, Compressor};

use super::parcel::Parcel;

/// How many times smaller than its text a group is taken to be until it is compressed. Source: access logs are three
/// to five times smaller.
const EXPECTED_RATIO: usize = 4;

/// Longest body that lies in one allocation with others, in bytes, and how much is allocated for them: many files that
/// each have a line make as many bodies.
const SHARED_BODY_BYTES_MAX: usize = 2 * 1024;
const SHARED_BYTES: usize = 16 * 1024;

/// Compresses; with several threads not before the end of a turn, when all that it made is there.
#[derive(Debug)]
pub struct Packing {
    /// One for each thread; at least one.
    compressors: Vec<Compressor>,
    /// Where a body is made, before it is known how long it is.
    packed: Vec<u8>,
    /// Room for the next small ones.
    shared: BytesMut,
}

impl Packing {
    pub fn new(threads: usize) -> Self {
        let compressors = (0..threads.max(1)).map(|_| Compressor::default()).collect();
        Self { compressors, packed: Vec::new(), shared: BytesMut::new() }
    }

    /// How many compress, at least one.
    pub fn threads(&self) -> usize {
        self.compressors.len()
    }

    /// Groups are compressed by [`Self::pack_together`].
    pub fn is_shared(&self) -> bool {
        self.compressors.len() > 1
    }

    /// `group`, compressed if that is possible, and how.
    pub fn pack(&mut self, group: &[u8], wanted: Compression) -> (Bytes, Compression) {
        let Some(compressor) = self.compressors.first_mut() else {
            return (Bytes::copy_from_slice(group), Compression::None);
        };
        self.packed.clear();
        let compression = pack(compressor, group, wanted, &mut self.packed);
        if self.packed.len() > SHARED_BODY_BYTES_MAX {
            return (std::mem::take(&mut self.packed).into(), compression);
        }
        if self.shared.capacity() < self.packed.len() {
            self.shared = BytesMut::with_capacity(SHARED_BYTES);
        }
        self.shared.extend_from_slice(&self.packed);
        (self.shared.split().freeze(), compression)
    }

    /// Compresses what is not compressed yet, and makes the digests, in parts of about the same number of parcels.
    pub fn pack_together(&mut self, parcels: &mut [Parcel]) {
        let share = parcels.len().div_ceil(self.compressors.len()).max(1);
        std::thread::scope(|scope| {
            let mut parts = parcels.chunks_mut(share).zip(&mut self.compressors);
            let own = parts.next();
            for (part, compressor) in parts {
                let builder = std::thread::Builder::new().name("collector-pack".to_owned());
                // Where the system has no thread left they are sent as they are.
                if let Err(error) = builder.spawn_scoped(scope, move || pack_part(part, compressor)) {
                    tracing::warn!(%error, "no thread to compress with");
                }
            }
            if let Some((part, compressor)) = own {
                pack_part(part, compressor);
            }
        });
    }

    pub fn release_memory(&mut self) {
        self.compressors.iter_mut().for_each(Compressor::release_memory);
        (self.packed, self.shared) = (Vec::new(), BytesMut::new());
    }
}

fn pack_part(parcels: &mut [Parcel], compressor: &mut Compressor) {
    for parcel in &mut *parcels {
        let wanted = parcel.destination.compression;
        for group in parcel.groups.iter_mut().filter(|group| group.compression != wanted) {
            let mut packed = Vec::new();
            group.compression = pack(compressor, &group.body, wanted, &mut packed);
            group.body = packed.into();
        }
    }
    Parcel::digest_together(parcels);
}

/// Puts `group`, compressed if that is possible, into `packed`; returns how.
fn pack(compressor: &mut Compressor, group: &[u8], wanted: Compression, packed: &mut Vec<u8>) -> Compression {
    match compressor.compress(group, wanted, packed) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "a request is sent uncompressed");
            packed.clear();
            packed.extend_from_slice(group);
            Compression::None
        }
    }
}

/// The bytes of a request, or those that it is taken to have before it is compressed.
pub fn expected_bytes(parcel: &Parcel) -> usize {
    let wanted = parcel.destination.compression;
    let of_group = |bytes: usize, is_packed: bool| if is_packed { bytes } else { bytes / EXPECTED_RATIO };
    parcel.groups.iter().map(|group| of_group(group.body.len(), group.compression == wanted)).sum()
}
