//! The parts of a request in the order that signatures want them.

use http::HeaderMap;
use percent_encoding::percent_decode;

/// Prefix of object metadata headers, which some SDKs leave out of the signature.
const META_PREFIX: &str = "x-log-meta-";

/// Headers sorted by name, each name once.
pub(super) struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// The request's headers, replaced and completed by `added`.
    pub fn merged(request: &'a HeaderMap, added: &'a HeaderMap) -> Self {
        let kept = request.iter().filter(|(name, _)| !added.contains_key(*name));
        let mut all: Vec<_> =
            kept.chain(added).map(|(name, value)| (name.as_str(), value.as_bytes().trim_ascii())).collect();
        // Stable: of a repeated header the first counts. No SDK repeats one.
        all.sort_by_key(|(name, _)| *name);
        all.dedup_by_key(|(name, _)| *name);
        Self(all)
    }

    /// The value of a header.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let at = self.0.binary_search_by_key(&name, |(n, _)| n).ok()?;
        self.0.get(at).map(|(_, value)| *value)
    }

    /// The headers whose names `wanted` accepts, in order.
    pub fn selected(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().copied().filter(move |(name, _)| wanted(name))
    }
}

/// Whether a header carries object metadata.
pub(super) fn is_meta(name: &str) -> bool {
    name.starts_with(META_PREFIX)
}

/// Query parameters, decoded, sorted by name. `+` is a blank; a parameter without `=` has the
/// empty value.
pub(super) fn query_pairs(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    pairs.sort();
    pairs
}

fn decoded(text: &str) -> Vec<u8> {
    let blanks: Vec<u8> = text.bytes().map(|b| if b == b'+' { b' ' } else { b }).collect();
    percent_decode(&blanks).collect()
}
