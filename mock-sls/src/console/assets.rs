//! Styles and scripts, part of the binary. Their address has a version, so that browsers keep them for ever and
//! modules that import each other by relative paths are always of one build.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::problem::Problem;

/// Every file of `assets/`, by name; a test compares.
const ASSETS: &[(&str, &str)] = &[
    ("bed.css", include_str!("assets/bed.css")),
    ("box.js", include_str!("assets/box.js")),
    ("chart.js", include_str!("assets/chart.js")),
    ("clause.js", include_str!("assets/clause.js")),
    ("colour.js", include_str!("assets/colour.js")),
    ("complete.js", include_str!("assets/complete.js")),
    ("configs.css", include_str!("assets/configs.css")),
    ("configs.js", include_str!("assets/configs.js")),
    ("console.css", include_str!("assets/console.css")),
    ("console.js", include_str!("assets/console.js")),
    ("histogram.js", include_str!("assets/histogram.js")),
    ("icon.svg", include_str!("assets/icon.svg")),
    ("live.js", include_str!("assets/live.js")),
    ("index.css", include_str!("assets/index.css")),
    ("index.js", include_str!("assets/index.js")),
    ("query.css", include_str!("assets/query.css")),
    ("query.js", include_str!("assets/query.js")),
    ("shown.js", include_str!("assets/shown.js")),
    ("tail.js", include_str!("assets/tail.js")),
    ("testbed.js", include_str!("assets/testbed.js")),
];

/// Changes whenever any file does.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = crc32fast::Hasher::new();
    for (name, text) in ASSETS {
        hasher.update(name.as_bytes());
        hasher.update(text.as_bytes());
    }
    format!("{:08x}", hasher.finalize())
});

/// Where a file is.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// The file, whatever the version: an older page gets today's.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let Some((_, text)) = ASSETS.iter().find(|(known, _)| *known == name) else {
        return Err(Problem::missing(format!("there is no file {name}")));
    };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    let kept = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-store" };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(kind)), (CACHE_CONTROL, HeaderValue::from_static(kept))];
    Ok((headers, *text).into_response())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/console/assets");
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let served = ASSETS.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(served.collect::<BTreeSet<_>>(), files.collect());
    }
}
