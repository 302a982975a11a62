//! The body of a request as a person reads it: the logs of a write, JSON on several lines, text.

use bytes::Bytes;
use maud::{Markup, html};
use prost::Message;
use serde_json::Value;
use sls_api::codec::{self, Compression, RAW_BYTES_MAX};
use sls_api::log_group::{LogGroup, PARTS_MAX, SlsCompressType, SlsLogPackageList, count_parts};

use crate::console::page::time;
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;
use crate::journal::Sent;

/// Logs of a body that are shown (own choice: a page that can be read).
const LOGS_MAX: usize = 200;
/// Fields of a log that are shown (own choice: more than any example has).
const FIELDS_MAX: usize = 100;
/// Characters of other bodies that are shown (own choice).
const TEXT_CHARS_MAX: usize = 65_536;

/// A body that was read.
pub(super) enum Body {
    /// There was none, or it was too large to be kept.
    None,
    /// Logs.
    Logs(Vec<LogGroup>),
    /// Text, pretty if it is JSON; and whether it goes on.
    Text(String, bool),
    /// What is neither: how many bytes, and why.
    Bytes(usize, String),
}

/// Reads a body as the operation means it.
pub(super) fn read(operation: &str, sent: &Sent) -> Body {
    if sent.body.is_empty() {
        return Body::None;
    }
    let raw = match unpacked(sent) {
        Ok(raw) => raw,
        Err(why) => return Body::Bytes(sent.body.len(), why),
    };
    if let Ok(json) = serde_json::from_slice::<Value>(&raw) {
        let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
        return text(&pretty);
    }
    if operation.starts_with("Put")
        && let Some(groups) = log_groups(&raw)
    {
        return Body::Logs(groups);
    }
    match std::str::from_utf8(&raw) {
        Ok(raw) => text(raw),
        Err(error) => Body::Bytes(raw.len(), format!("neither JSON, logs nor text: {error}")),
    }
}

fn text(whole: &str) -> Body {
    let at = whole.char_indices().nth(TEXT_CHARS_MAX).map(|(at, _)| at);
    Body::Text(whole.get(..at.unwrap_or(whole.len())).unwrap_or_default().to_owned(), at.is_some())
}

fn unpacked(sent: &Sent) -> Result<Bytes, String> {
    let compression = match sent.compression.as_str() {
        "" => return Ok(sent.body.clone()),
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        "deflate" => Compression::Deflate,
        other => return Err(format!("compressed by {other:?}, which nobody knows")),
    };
    let size = sent.raw_bytes.parse().map_err(|_| format!("x-log-bodyrawsize is {:?}", sent.raw_bytes))?;
    codec::unpack(&sent.body, compression, size, RAW_BYTES_MAX).map_err(|error| error.to_string())
}

/// One group, or a batch of packed ones.
fn log_groups(raw: &Bytes) -> Option<Vec<LogGroup>> {
    // A body of empty parts takes far more memory decoded than sent.
    let decode =
        |raw: &Bytes| (count_parts(raw) <= PARTS_MAX).then(|| LogGroup::decode(raw.clone()).ok()).flatten();
    if let Some(group) = decode(raw) {
        return Some(vec![group]);
    }
    let packages = SlsLogPackageList::decode(raw.clone()).ok()?.packages;
    let mut left = RAW_BYTES_MAX;
    let mut groups = Vec::new();
    for package in packages {
        let compression = match package.compress_type.map(SlsCompressType::try_from) {
            Some(Ok(SlsCompressType::None)) => Compression::None,
            Some(Ok(SlsCompressType::Deflate)) => Compression::Deflate,
            Some(Ok(SlsCompressType::Zstd)) => Compression::Zstd,
            None | Some(Ok(SlsCompressType::Lz4)) => Compression::Lz4,
            Some(Err(_)) => return None,
        };
        let size = package.uncompress_size.and_then(|size| usize::try_from(size).ok());
        let size = size.unwrap_or(package.data.len());
        let raw = codec::unpack(&package.data, compression, size, left).ok()?;
        left -= raw.len();
        groups.push(decode(&raw)?);
    }
    Some(groups)
}

impl Body {
    /// The body on a page; it had so many bytes on the wire.
    pub fn shown(&self, visit: &Visit, bytes: u64) -> Markup {
        match self {
            Self::None if bytes == 0 => html! { p.quiet-text { (visit.t("None.", "无。")) } },
            Self::None => html! { p.quiet-text {
                (bytes) " " (visit.t("bytes, too large to be kept", "字节，过大而未保留"))
            } },
            Self::Bytes(bytes, why) => {
                html! { p.quiet-text { (bytes) " " (visit.t("bytes", "字节")) ": " bdi { (visible(why)) } } }
            }
            Self::Text(text, cut) => html! {
                pre tabindex="0" { bdi { (visible(text)) } }
                @if *cut { p.hint { (visit.t("The rest is left out here.", "其余内容在此省略。")) } }
            },
            Self::Logs(groups) => logs(visit, groups),
        }
    }
}

fn logs(visit: &Visit, groups: &[LogGroup]) -> Markup {
    let all: usize = groups.iter().map(|group| group.logs.len()).sum();
    // How many logs of each group there is room for.
    let rooms = groups.iter().scan(LOGS_MAX, |room, group| {
        let shown = group.logs.len().min(*room);
        *room -= shown;
        Some((group, shown))
    });
    html! {
        @for (group, shown) in rooms {
            dl.facts {
                @for (name, text) in [("topic", &group.topic), ("source", &group.source)] {
                    @if let Some(text) = text { dt { (name) } dd { (value(visit, text)) } }
                }
                @for tag in group.log_tags.iter().take(FIELDS_MAX) {
                    dt { bdi { "__tag__:" (visible(&tag.key)) } } dd { (value(visit, &tag.value)) }
                }
            }
            @if shown > 0 { div.scroll tabindex="0" { table {
                thead { tr { th.number { (visit.t("Log", "序号")) } th { (visit.t("Time", "时间")) } th { (visit.t("Fields", "字段")) } } }
                tbody { @for (number, log) in (1_usize..).zip(group.logs.iter().take(shown)) { tr {
                    td.number { (number) }
                    td.nowrap { (time(i64::from(log.time))) }
                    td { dl.pairs { @for field in log.contents.iter().take(FIELDS_MAX) {
                        dt { bdi { (visible(&field.key)) } }
                        dd { (value(visit, &String::from_utf8_lossy(&field.value))) }
                    } } }
                } } }
            } } }
        }
        @if all > LOGS_MAX {
            p.hint { (visit.t("Shown are the first", "仅显示前")) " " (LOGS_MAX) " / " (all) }
        }
    }
}

#[cfg(test)]
mod tests {
    use sls_api::log_group::{Content, Log};

    use super::*;

    fn group() -> LogGroup {
        let log = Log { time: 7, contents: vec![Content::new("k", "v")], time_ns: None };
        LogGroup { logs: vec![log], topic: Some("t".to_owned()), ..LogGroup::default() }
    }

    fn sent(body: Vec<u8>) -> Sent {
        Sent { body: body.into(), ..Sent::default() }
    }

    #[test]
    fn a_write_is_read_packed_or_not_and_in_batches() {
        let raw = group().encode_to_vec();
        assert!(matches!(read("PutLogs", &sent(raw.clone())), Body::Logs(groups) if groups == [group()]));
        let mut packed = Vec::new();
        codec::compress(&raw, Compression::Lz4, &mut packed).unwrap();
        let lz4 =
            Sent { compression: "lz4".to_owned(), raw_bytes: raw.len().to_string(), ..sent(packed.clone()) };
        assert!(matches!(read("PutLogs", &lz4), Body::Logs(groups) if groups == [group()]));
        let package = sls_api::log_group::SlsLogPackage {
            data: packed.into(),
            uncompress_size: i32::try_from(raw.len()).ok(),
            compress_type: None,
        };
        let batch = SlsLogPackageList { packages: vec![package.clone(), package] };
        assert!(
            matches!(read("PutLogs", &sent(batch.encode_to_vec())), Body::Logs(groups) if groups.len() == 2)
        );
    }

    #[test]
    fn what_is_no_write_is_shown_as_json_text_or_its_size() {
        assert!(
            matches!(read("CreateIndex", &sent(b"{\"a\":1}".to_vec())), Body::Text(text, false) if text == "{\n  \"a\": 1\n}")
        );
        assert!(
            matches!(read("CreateIndex", &sent(b"a=1".to_vec())), Body::Text(text, false) if text == "a=1")
        );
        assert!(matches!(read("CreateIndex", &sent(vec![0xff; 9])), Body::Bytes(9, _)));
        let wrong = Sent { compression: "brotli".to_owned(), ..sent(vec![1]) };
        assert!(matches!(read("PutLogs", &wrong), Body::Bytes(1, why) if why.contains("brotli")));
        let claim =
            Sent { compression: "lz4".to_owned(), raw_bytes: "999999999".to_owned(), ..sent(vec![1]) };
        assert!(matches!(read("PutLogs", &claim), Body::Bytes(1, why) if why.contains("over the limit")));
        assert!(matches!(read("GetLogs", &Sent::default()), Body::None));
    }
}
