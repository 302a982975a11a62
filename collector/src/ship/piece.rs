//! The body of one request: a LogGroup, or several in the form that the service calls batch mode.

use bytes::Bytes;
use sls_api::codec::{self, Compression, RAW_BYTES_MAX};
use sls_api::log_group::SlsCompressType;
use sls_api::ops::logs::CompressedLogs;
use sls_api::sign::Md5;

use crate::checkpoint::Numbers;
use crate::engine::outbox::PackedGroup;
use crate::pack;

/// `packages` of SlsLogPackageList: field 1, length-delimited (sls-proto.md §1).
const PACKAGES: u8 = 0x0a;
/// `data`, `uncompress_size` and `compress_type` of SlsLogPackage.
const DATA: u8 = 0x0a;
const UNCOMPRESS_SIZE: u8 = 0x10;
const COMPRESS_TYPE: u8 = 0x18;

/// Groups that travel together. Invariant: at least one.
#[derive(Debug, Clone)]
pub struct Piece {
    groups: Vec<PackedGroup>,
    /// Of numbered logs.
    numbers: Option<Numbers>,
}

impl Piece {
    pub fn new(groups: Vec<PackedGroup>) -> Self {
        Self { groups, numbers: None }
    }

    /// The same under numbers.
    pub fn numbered(self, numbers: Numbers) -> Self {
        Self { numbers: Some(numbers), ..self }
    }

    /// Under which the server takes it once.
    pub fn sequence_id(&self) -> Option<i64> {
        self.numbers.map(Numbers::last)
    }

    /// Number of logs.
    pub fn logs(&self) -> u32 {
        self.groups.iter().map(|g| g.logs).sum()
    }

    /// Bytes before compression.
    pub fn raw_bytes(&self) -> usize {
        self.groups.iter().map(|g| g.raw_bytes).sum()
    }

    /// MD5 of the body, if that was made already.
    pub fn digest(&self) -> Option<Md5> {
        match self.groups.as_slice() {
            [one] => one.digest,
            _ => None,
        }
    }

    pub fn body(&self) -> CompressedLogs {
        match self.groups.as_slice() {
            [one] => CompressedLogs {
                bytes: one.body.clone(),
                raw_size: one.raw_bytes,
                compression: one.compression,
                batch: false,
                json: false,
            },
            several => {
                let mut list = Vec::new();
                several.iter().for_each(|group| put_package(&mut list, group));
                CompressedLogs {
                    raw_size: list.len(),
                    bytes: Bytes::from(list),
                    // It has no meaning here, but the service's own agent sends it too.
                    compression: several.first().map_or(Compression::None, |g| g.compression),
                    batch: true,
                    json: false,
                }
            }
        }
    }

    /// Two pieces with the same logs in the same order; `None` if there is but one log.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let (first, second) = self.unnumbered_halves()?;
        let Some(numbers) = self.numbers else { return Some((first, second)) };
        let (of_first, of_second) = numbers.halves()?;
        Some((first.numbered(of_first), second.numbered(of_second)))
    }

    fn unnumbered_halves(&self) -> Option<(Self, Self)> {
        if let [one] = self.groups.as_slice() {
            let group = codec::decompress(&one.body, one.compression, one.raw_bytes, RAW_BYTES_MAX).ok()?;
            let (first, second) = pack::split(&group)?;
            return Some((Self::new(vec![packed(&first, one)?]), Self::new(vec![packed(&second, one)?])));
        }
        let (first, second) = self.groups.split_at(self.groups.len() / 2);
        Some((Self::new(first.to_vec()), Self::new(second.to_vec())))
    }
}

/// Compresses `group`, a part of `whole`.
fn packed(group: &[u8], whole: &PackedGroup) -> Option<PackedGroup> {
    let mut body = Vec::new();
    codec::compress(group, whole.compression, &mut body).ok()?;
    let logs = u32::try_from(pack::logs_in(group)).ok()?;
    Some(PackedGroup { body: Bytes::from(body), digest: None, raw_bytes: group.len(), logs, ..whole.clone() })
}

fn put_package(list: &mut Vec<u8>, group: &PackedGroup) {
    let kind = match group.compression {
        Compression::None => SlsCompressType::None,
        Compression::Deflate => SlsCompressType::Deflate,
        Compression::Lz4 => SlsCompressType::Lz4,
        Compression::Zstd => SlsCompressType::Zstd,
    };
    let mut package = Vec::with_capacity(group.body.len() + 16);
    package.push(DATA);
    pack::put_varint(&mut package, group.body.len() as u32);
    package.extend_from_slice(&group.body);
    package.push(UNCOMPRESS_SIZE);
    pack::put_varint(&mut package, group.raw_bytes as u32);
    package.push(COMPRESS_TYPE);
    pack::put_varint(&mut package, kind as u32);
    list.push(PACKAGES);
    pack::put_varint(list, package.len() as u32);
    list.extend_from_slice(&package);
}

#[cfg(test)]
mod tests {
    use sls_api::log_group::{Content, Log, LogGroup};

    use super::*;
    use crate::engine::tracked::FileKey;

    fn group(file: u64, values: &[&str], compression: Compression) -> PackedGroup {
        let log = |v: &&str| Log {
            time: 7,
            contents: vec![Content::new("content", (*v).to_owned())],
            time_ns: None,
        };
        let group = LogGroup { logs: values.iter().map(log).collect(), ..LogGroup::default() };
        let packed = CompressedLogs::from_group(&group, compression).expect("packs");
        PackedGroup {
            file: FileKey(file),
            body: packed.bytes,
            digest: None,
            compression,
            raw_bytes: packed.raw_size,
            source_bytes: 0,
            logs: values.len() as u32,
        }
    }

    fn values(piece: &Piece) -> Vec<Vec<String>> {
        let groups = piece.body().log_groups(RAW_BYTES_MAX).expect("the body decodes");
        let values = |g: &LogGroup| -> Vec<String> {
            let contents = g.logs.iter().flat_map(|l| &l.contents);
            contents.map(|c| String::from_utf8_lossy(&c.value).into_owned()).collect()
        };
        groups.iter().map(values).collect()
    }

    #[test]
    fn one_group_travels_alone_and_several_as_a_list() {
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd, Compression::Deflate] {
            let one = Piece::new(vec![group(1, &["a", "b"], compression)]);
            assert!(!one.body().batch);
            assert_eq!(values(&one), [["a", "b"]]);
            let two = Piece::new(vec![group(1, &["a", "b"], compression), group(2, &["c"], compression)]);
            assert!(two.body().batch);
            assert_eq!(values(&two), [vec!["a", "b"], vec!["c"]]);
            assert_eq!(two.logs(), 3);
        }
    }

    #[test]
    fn halving_goes_on_down_to_single_logs() {
        let piece = Piece::new(vec![
            group(1, &["a", "b", "c"], Compression::Lz4),
            group(2, &["d"], Compression::Lz4),
        ]);
        let (first, second) = piece.halves().expect("two groups");
        assert_eq!(
            (values(&first), values(&second)),
            (vec![vec!["a".into(), "b".into(), "c".into()]], vec![vec!["d".into()]])
        );
        let (first, rest) = first.halves().expect("three logs");
        assert_eq!((first.logs(), rest.logs()), (1, 2));
        assert_eq!(values(&rest), [["b", "c"]]);
        assert!(second.halves().is_none());
    }
}
