//! Compressed bodies: two bytes choose the compression and how the size lies, four say the size, the rest is
//! the body.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::{Corpus, fuzz_target};
use sls_api::codec::{Compression, compress, decompress, unpack, unpack_into};

/// Largest size that is unpacked here, in bytes: enough for every path, little enough to be fast.
const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((&[which, a, b, c], body)) = data.split_first_chunk::<4>() else { return Corpus::Reject };
    let compression = match which & 3 {
        0 => Compression::None,
        1 => Compression::Lz4,
        2 => Compression::Zstd,
        _ => Compression::Deflate,
    };
    let size = u32::from_le_bytes([a, b, c, 0]) as usize;
    let unpacked = decompress(body, compression, size, LIMIT);
    if let Ok(raw) = &unpacked {
        assert!(raw.len() == size && size <= LIMIT);
    }
    // All ways to unpack agree.
    let packed = Bytes::copy_from_slice(body);
    let shared = unpack(&packed, compression, size, LIMIT);
    let mut scratch = vec![7; usize::from(which)];
    let lent = unpack_into(&packed, compression, size, LIMIT, &mut scratch);
    assert_eq!(shared.as_deref().ok(), unpacked.as_deref().ok());
    assert_eq!(lent.ok(), unpacked.as_deref().ok());
    // What is packed unpacks.
    let mut packed = b"before".to_vec();
    compress(body, compression, &mut packed).expect("memory");
    let again = decompress(&packed[b"before".len()..], compression, body.len(), body.len());
    assert_eq!(again.expect("our own packing"), body);
    Corpus::Keep
});
