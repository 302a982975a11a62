//! Compressed bodies: a line is the header that names the compression, three bytes say the size, the rest is the
//! body.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::{Corpus, fuzz_target};
use sls_api::codec::{Compression, compress, decompress, unpack, unpack_into, unpack_lz4};

/// Largest size that is unpacked here, in bytes: enough for every path, little enough to be fast.
const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return Corpus::Reject };
    let (header, rest) = (&data[..end], &data[end + 1..]);
    let Some((&[a, b, c], body)) = rest.split_first_chunk::<3>() else { return Corpus::Reject };
    let Ok(header) = std::str::from_utf8(header) else { return Corpus::Reject };
    let best = Compression::accepted(header);
    assert!(matches!(best, Compression::None | Compression::Lz4 | Compression::Zstd));
    let Ok(compression) = header.parse::<Compression>() else { return Corpus::Reject };
    let named = compression.header_value().unwrap_or_default().parse::<Compression>();
    assert_eq!(named.ok(), Some(compression));
    let size = u32::from_le_bytes([a, b, c, 0]) as usize;
    let unpacked = decompress(body, compression, size, LIMIT);
    if let Ok(raw) = &unpacked {
        assert!(raw.len() == size && size <= LIMIT);
    }
    // All ways to unpack agree.
    let packed = Bytes::copy_from_slice(body);
    let shared = unpack(&packed, compression, size, LIMIT);
    let mut scratch = vec![7; usize::from(a)];
    let lent = unpack_into(&packed, compression, size, LIMIT, &mut scratch);
    assert_eq!(shared.as_deref().ok(), unpacked.as_deref().ok());
    assert_eq!(lent.ok(), unpacked.as_deref().ok());
    if compression == Compression::Lz4 {
        let mut raw = vec![7; usize::from(b)];
        let done = unpack_lz4(body, size, LIMIT, &mut raw);
        assert_eq!(done.ok().map(|()| &*raw), unpacked.as_deref().ok());
    }
    // What is packed unpacks.
    let mut packed = b"before".to_vec();
    compress(body, compression, &mut packed).expect("memory");
    let again = decompress(&packed[b"before".len()..], compression, body.len(), body.len());
    assert_eq!(again.expect("our own packing"), body);
    Corpus::Keep
});
