//! Functions of URLs. Source: document "URL functions".
//!
//! A URL is taken apart by hand, as RFC 3986 says: what is no URL gives NULL, and a library would
//! bring what it reads into a canonical form.

use super::{PURE, Registrar, scalar, texts::text_arg};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Characters that stay as they are, besides letters and digits; a blank becomes `+`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    for (name, f) in [
        ("sls_url_host", (|url| url.host) as fn(Url<'_>) -> Option<&str>),
        ("sls_url_protocol", |url| Some(url.protocol)),
        ("sls_url_path", |url| Some(url.path)),
        ("sls_url_query", |url| url.query),
        ("sls_url_fragment", |url| url.fragment),
        ("sls_url_port", |url| url.port),
    ] {
        scalar(db, name, 1, PURE, move |call| {
            Ok(text_arg(call, 0)?.map(Url::new).and_then(f).map(str::to_owned))
        })?;
    }
    scalar(db, "sls_url_parameter", 2, PURE, |call| {
        let (Some(url), Some(name)) = (text_arg(call, 0)?, text_arg(call, 1)?) else { return Ok(None) };
        let parameters = Url::new(url).query.unwrap_or_default().split('&');
        let mut halves = parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
        Ok(halves.find(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value)))
    })?;
    scalar(db, "sls_url_encode", 1, PURE, |call| {
        Ok(text_arg(call, 0)?.map(|text| utf8_percent_encode(text, ESCAPED).to_string().replace(' ', "+")))
    })?;
    scalar(db, "sls_url_decode", 1, PURE, |call| Ok(text_arg(call, 0)?.map(decoded)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The parts of a URL.
#[derive(Debug, Clone, Copy)]
struct Url<'u> {
    protocol: &'u str,
    host: Option<&'u str>,
    port: Option<&'u str>,
    path: &'u str,
    query: Option<&'u str>,
    fragment: Option<&'u str>,
}

impl<'u> Url<'u> {
    fn new(url: &'u str) -> Self {
        let (rest, fragment) = cut(url, '#');
        let (rest, query) = cut(rest, '?');
        let (protocol, rest) = match rest.split_once(':') {
            Some((protocol, rest)) if is_protocol(protocol) => (protocol, rest),
            _ => ("", rest),
        };
        let Some(rest) = rest.strip_prefix("//") else {
            return Self { protocol, host: None, port: None, path: rest, query, fragment };
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
        let colon = authority.rfind(':').filter(|colon| *colon > authority.rfind(']').unwrap_or_default());
        let (host, port) = match colon {
            Some(colon) => {
                (&authority[..colon], Some(&authority[colon + 1..]).filter(|port| !port.is_empty()))
            }
            None => (authority, None),
        };
        Self { protocol, host: Some(host).filter(|host| !host.is_empty()), port, path, query, fragment }
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

fn is_protocol(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::new("https://u:p@[::1]:8080/a/b?x=1&y=%20#top");
        assert_eq!((url.protocol, url.host, url.port), ("https", Some("[::1]"), Some("8080")));
        assert_eq!((url.path, url.query, url.fragment), ("/a/b", Some("x=1&y=%20"), Some("top")));
        let relative = Url::new("/a/b?x");
        assert_eq!((relative.protocol, relative.host, relative.path), ("", None, "/a/b"));
        assert_eq!(Url::new("http://h").path, "");
    }
}
