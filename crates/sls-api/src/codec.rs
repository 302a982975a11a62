//! Compression of bodies, as named by `x-log-compresstype`.
//!
//! Used by the PutLogs and PullLogs bodies, by compressed query answers, and directly by the
//! collector's packer and the mock's store. Decompression never allocates more than the caller
//! allows: a hostile body is refused, not unpacked.

mod lz4;

use bytes::Bytes;
use std::{fmt, io::Read, str::FromStr};

use crate::log_group::SlsCompressType;

/// Largest PutLogs body before compression, in bytes. Source: current limits document.
pub const RAW_BYTES_MAX: usize = 10 * 1024 * 1024;

/// zstd level that we compress with. Source: own choice; the fast end of the library's range.
const ZSTD_LEVEL: i32 = 1;

/// Largest window of a zstd frame, as a power of two: 32 MiB. A frame of a few bytes may ask for
/// 128 MiB of decoder memory otherwise. Source: own bound, above what levels up to 19 use.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all; `x-log-compresstype` is absent.
    #[default]
    None,
    /// A raw LZ4 block: no frame, no size prefix.
    Lz4,
    /// A zstd frame.
    Zstd,
    /// A zlib stream (RFC 1950); bare deflate (RFC 1951) is understood too.
    Deflate,
}

/// A body that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The header names an unknown compression.
    #[error("x-log-compresstype {0} is unsupported: use lz4, zstd or deflate, or leave it out")]
    Unsupported(String),
    /// The body says that it is larger than allowed.
    #[error("the uncompressed size {raw_size} is over the limit of {limit} bytes: send less at once")]
    TooLarge {
        /// Announced size, bytes.
        raw_size: usize,
        /// Allowed size, bytes.
        limit: usize,
    },
    /// The body is not what the header says.
    #[error("the body is not valid {compression} data: {reason}")]
    Corrupt {
        /// What it should have been.
        compression: Compression,
        /// The decoder's words.
        reason: String,
    },
    /// The body unpacks to another size than announced.
    #[error("the body unpacks to {actual} bytes, but x-log-bodyrawsize says {raw_size}")]
    SizeMismatch {
        /// Announced size, bytes.
        raw_size: usize,
        /// Real size, bytes; at least this when unpacking was stopped.
        actual: usize,
    },
    /// The compressor failed, which it only does without memory.
    #[error("cannot compress with {compression}: {reason}")]
    Compress {
        /// Which compressor.
        compression: Compression,
        /// Its words.
        reason: String,
    },
}

impl Compression {
    /// The value of `x-log-compresstype`; none when the header is left out.
    #[must_use]
    pub fn header_value(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Lz4 => Some("lz4"),
            Self::Zstd => Some("zstd"),
            Self::Deflate => Some("deflate"),
        }
    }

    /// The best compression that an `Accept-Encoding` header of a client names, for the
    /// operations whose answers may be compressed. Only `lz4` and `zstd` count: clients name
    /// `deflate` and `gzip` without decoding them.
    #[must_use]
    pub fn accepted(accept_encoding: &str) -> Self {
        let mut names = accept_encoding.split(',').map(|n| n.split(';').next().unwrap_or(n).trim());
        names
            .find_map(|name| match name {
                "lz4" => Some(Self::Lz4),
                "zstd" => Some(Self::Zstd),
                _ => None,
            })
            .unwrap_or_default()
    }
}

impl FromStr for Compression {
    type Err = CodecError;
    /// Reads a value of `x-log-compresstype`.
    fn from_str(value: &str) -> Result<Self, CodecError> {
        match value {
            "" | "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            "deflate" | "gzip" => Ok(Self::Deflate),
            other => Err(CodecError::Unsupported(other.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header_value().unwrap_or("none"))
    }
}

impl From<SlsCompressType> for Compression {
    fn from(value: SlsCompressType) -> Self {
        match value {
            SlsCompressType::None => Self::None,
            SlsCompressType::Deflate => Self::Deflate,
            SlsCompressType::Lz4 => Self::Lz4,
            SlsCompressType::Zstd => Self::Zstd,
        }
    }
}

/// Packs bodies, with memory that is used again: for a hot path.
#[derive(Debug, Default)]
pub struct Compressor {
    lz4: lz4::Packer,
}

impl Compressor {
    /// Appends `raw`, compressed, to `out`, whose spare capacity is used.
    ///
    /// # Errors
    /// [`CodecError::Compress`] when the compressor cannot get memory.
    pub fn compress(
        &mut self,
        raw: &[u8],
        compression: Compression,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let failed = |reason: String| CodecError::Compress { compression, reason };
        match compression {
            Compression::None => out.extend_from_slice(raw),
            Compression::Lz4 if raw.len() <= lz4::INPUT_BYTES_MAX => {
                self.lz4.compress(raw, out)?;
            }
            Compression::Lz4 => {
                let start = out.len();
                out.resize(start + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
                let room = out.get_mut(start..).unwrap_or_default();
                let n = lz4_flex::block::compress_into(raw, room).map_err(|e| failed(e.to_string()))?;
                out.truncate(start + n);
            }
            Compression::Zstd => {
                let packed = zstd::bulk::compress(raw, ZSTD_LEVEL).map_err(|e| failed(e.to_string()))?;
                out.extend_from_slice(&packed);
            }
            Compression::Deflate => {
                let mut encoder = flate2::read::ZlibEncoder::new(raw, flate2::Compression::fast());
                encoder.read_to_end(out).map_err(|e| failed(e.to_string()))?;
            }
        }
        Ok(())
    }

    /// Gives back the memory that it keeps.
    pub fn release_memory(&mut self) {
        self.lz4 = lz4::Packer::default();
    }
}

/// Appends `raw`, compressed, to `out`. Who does it often keeps a [`Compressor`].
///
/// # Errors
/// [`CodecError::Compress`] when the compressor cannot get memory.
pub fn compress(raw: &[u8], compression: Compression, out: &mut Vec<u8>) -> Result<(), CodecError> {
    Compressor::default().compress(raw, compression, out)
}

/// Unpacks `packed`, which must yield exactly `raw_size` bytes, at most `limit`.
///
/// # Errors
/// [`CodecError`] when the size is over the limit, the data is broken or the size is another.
pub fn decompress(
    packed: &[u8],
    compression: Compression,
    raw_size: usize,
    limit: usize,
) -> Result<Vec<u8>, CodecError> {
    if raw_size > limit {
        return Err(CodecError::TooLarge { raw_size, limit });
    }
    let raw = match compression {
        Compression::None => packed.to_vec(),
        Compression::Lz4 => lz4_owned(packed, raw_size)?,
        Compression::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(packed).map_err(|e| corrupt(compression, &e))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|e| corrupt(compression, &e))?;
            read_exactly(decoder, compression, raw_size)?
        }
        Compression::Deflate => read_exactly(flate2::read::ZlibDecoder::new(packed), compression, raw_size)
            .or_else(|as_zlib| match as_zlib {
            CodecError::Corrupt { .. } => {
                read_exactly(flate2::read::DeflateDecoder::new(packed), compression, raw_size)
            }
            other => Err(other),
        })?,
    };
    let actual = raw.len();
    if actual == raw_size { Ok(raw) } else { Err(CodecError::SizeMismatch { raw_size, actual }) }
}

/// As [`decompress`], but shares the memory of a body that is not compressed.
///
/// # Errors
/// As [`decompress`].
pub fn unpack(
    packed: &Bytes,
    compression: Compression,
    raw_size: usize,
    limit: usize,
) -> Result<Bytes, CodecError> {
    if compression != Compression::None {
        return decompress(packed, compression, raw_size, limit).map(Bytes::from);
    }
    let actual = packed.len();
    if actual > limit {
        return Err(CodecError::TooLarge { raw_size: actual, limit });
    }
    if actual != raw_size {
        return Err(CodecError::SizeMismatch { raw_size, actual });
    }
    Ok(packed.clone())
}

/// As [`unpack`], but into the memory of `scratch`, so that a caller on a hot path needs no new memory for
/// what it only looks at. What comes of it are the first bytes of `scratch`, or `packed` itself.
///
/// # Errors
/// As [`decompress`].
pub fn unpack_into<'a>(
    packed: &'a Bytes,
    compression: Compression,
    raw_size: usize,
    limit: usize,
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    match compression {
        Compression::None => {
            unpack(packed, compression, raw_size, limit)?;
            Ok(packed)
        }
        Compression::Lz4 if raw_size <= limit => {
            check_lz4_claim(packed, raw_size)?;
            if scratch.len() < raw_size {
                scratch.resize(raw_size, 0);
            }
            let room = scratch.get_mut(..raw_size).unwrap_or_default();
            unpack_lz4_to(packed, room)?;
            Ok(room)
        }
        _ => {
            *scratch = decompress(packed, compression, raw_size, limit)?;
            Ok(scratch)
        }
    }
}

/// As [`decompress`] of an LZ4 block, but into the memory of `raw`, which holds nothing else afterwards.
///
/// # Errors
/// As [`decompress`].
pub fn unpack_lz4(packed: &[u8], raw_size: usize, limit: usize, raw: &mut Vec<u8>) -> Result<(), CodecError> {
    if raw_size > limit {
        return Err(CodecError::TooLarge { raw_size, limit });
    }
    check_lz4_claim(packed, raw_size)?;
    raw.resize(raw_size, 0);
    unpack_lz4_to(packed, raw)
}

/// Unpacks an LZ4 block that must fill `room`.
fn unpack_lz4_to(packed: &[u8], room: &mut [u8]) -> Result<(), CodecError> {
    let raw_size = room.len();
    let actual = lz4_flex::block::decompress_into(packed, room).map_err(|e| corrupt(Compression::Lz4, &e))?;
    if actual == raw_size { Ok(()) } else { Err(CodecError::SizeMismatch { raw_size, actual }) }
}

/// An LZ4 block can unpack to 255 times its size; a claim beyond that is not worth the memory.
const LZ4_RATIO_MAX: usize = 255;

fn check_lz4_claim(packed: &[u8], raw_size: usize) -> Result<(), CodecError> {
    if raw_size > packed.len().saturating_mul(LZ4_RATIO_MAX) {
        let reason = format!("{} bytes cannot unpack to {raw_size}", packed.len());
        return Err(corrupt(Compression::Lz4, &reason));
    }
    Ok(())
}

fn lz4_owned(packed: &[u8], raw_size: usize) -> Result<Vec<u8>, CodecError> {
    check_lz4_claim(packed, raw_size)?;
    let mut raw = vec![0; raw_size];
    unpack_lz4_to(packed, &mut raw)?;
    Ok(raw)
}

/// Reads all of `decoder`, but stops as soon as it yields more than `raw_size` bytes.
fn read_exactly(
    decoder: impl Read,
    compression: Compression,
    raw_size: usize,
) -> Result<Vec<u8>, CodecError> {
    let mut raw = Vec::new();
    let one_more = (raw_size as u64).saturating_add(1);
    let mut bounded = decoder.take(one_more);
    bounded.read_to_end(&mut raw).map_err(|e| corrupt(compression, &e))?;
    if raw.len() > raw_size {
        return Err(CodecError::SizeMismatch { raw_size, actual: raw.len() });
    }
    Ok(raw)
}

fn corrupt(compression: Compression, reason: &dyn fmt::Display) -> CodecError {
    CodecError::Corrupt { compression, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Compression; 4] =
        [Compression::None, Compression::Lz4, Compression::Zstd, Compression::Deflate];

    fn packed(raw: &[u8], compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        compress(raw, compression, &mut out).unwrap();
        out
    }

    #[test]
    fn compress_appends_to_what_is_there() {
        for compression in ALL {
            let mut out = b"head".to_vec();
            compress(b"body", compression, &mut out).unwrap();
            assert_eq!(&out[..4], b"head");
            assert_eq!(decompress(&out[4..], compression, 4, 4).unwrap(), b"body");
        }
    }

    #[test]
    fn a_body_larger_than_announced_is_refused() {
        for compression in ALL {
            let bomb = packed(&vec![0; 1 << 20], compression);
            let e = decompress(&bomb, compression, 100, 1 << 10).unwrap_err();
            let refused = matches!(e, CodecError::SizeMismatch { .. } | CodecError::Corrupt { .. });
            assert!(refused, "{compression}: {e}");
        }
    }

    #[test]
    fn an_announced_size_over_the_limit_is_refused_before_unpacking() {
        for compression in ALL {
            let e = decompress(b"", compression, 11, 10).unwrap_err();
            assert!(matches!(e, CodecError::TooLarge { raw_size: 11, limit: 10 }));
        }
    }

    #[test]
    fn lz4_that_announces_the_impossible_is_refused() {
        assert!(decompress(b"\x10a", Compression::Lz4, RAW_BYTES_MAX, RAW_BYTES_MAX).is_err());
    }

    #[test]
    fn a_zstd_frame_that_asks_for_a_huge_window_is_refused() {
        // Magic, descriptor without size, window of 2^27 bytes, one empty last block.
        let frame = b"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00";
        let e = decompress(frame, Compression::Zstd, 10, 100).unwrap_err();
        assert!(matches!(e, CodecError::Corrupt { .. }), "{e}");
    }

    #[test]
    fn deflate_without_the_zlib_header_is_understood() {
        let mut raw = Vec::new();
        flate2::read::DeflateEncoder::new(&b"hello hello"[..], flate2::Compression::fast())
            .read_to_end(&mut raw)
            .unwrap();
        assert_eq!(decompress(&raw, Compression::Deflate, 11, 100).unwrap(), b"hello hello");
    }

    #[test]
    fn accept_encoding_counts_only_what_clients_can_read() {
        assert_eq!(Compression::accepted("gzip, deflate"), Compression::None);
        assert_eq!(Compression::accepted("lz4"), Compression::Lz4);
        assert_eq!(Compression::accepted("gzip, zstd;q=1"), Compression::Zstd);
        assert_eq!(Compression::accepted(""), Compression::None);
    }

    proptest! {
        #[test]
        fn whatever_is_packed_unpacks(raw in prop::collection::vec(any::<u8>(), 0..2000)) {
            for compression in ALL {
                let got = decompress(&packed(&raw, compression), compression, raw.len(), 2000);
                prop_assert_eq!(got.unwrap(), raw.clone());
            }
        }

        #[test]
        fn garbage_never_panics_or_exceeds(
            bytes in prop::collection::vec(any::<u8>(), 0..300), size in 0usize..5000,
        ) {
            for compression in ALL {
                if let Ok(raw) = decompress(&bytes, compression, size, 4096) {
                    prop_assert!(raw.len() == size && size <= 4096);
                }
            }
        }
    }
}
