//! What is known of a visitor besides the page that he wants.

use axum::extract::FromRequestParts;
use http::header::{ACCEPT, COOKIE};
use http::request::Parts;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;

use super::lang::Lang;

/// Cookie of the language.
pub(super) const LANG_COOKIE: &str = "console-lang";
/// Cookie of the colours.
pub(super) const THEME_COOKIE: &str = "console-theme";
/// Cookie of what the page before has to say.
pub(super) const NOTE_COOKIE: &str = "console-note";

/// Colours of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Name in the cookie and in `data-theme`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

/// One visit of one page.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Language of the page.
    pub lang: Lang,
    /// Colours of the page.
    pub theme: Theme,
    /// Path and query of the page, for links back to it.
    pub here: String,
    /// What every form must send as `csrf`, and every script as `x-csrf`.
    pub csrf: String,
    /// What the page before has to say.
    pub note: Option<String>,
    /// Whether a script asks, which wants errors as JSON.
    pub script: bool,
    /// Whether there are pages of a cluster.
    pub cluster: bool,
}

impl Visit {
    /// What the request says of its visitor.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap, csrf: &str, cluster: bool) -> Self {
        let lang = cookie(headers, LANG_COOKIE).and_then(Lang::named);
        let theme = cookie(headers, THEME_COOKIE).and_then(Theme::named);
        let note = cookie(headers, NOTE_COOKIE).filter(|note| !note.is_empty());
        let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self {
            lang: lang.unwrap_or_else(|| Lang::preferred(headers)),
            theme: theme.unwrap_or_default(),
            here: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            csrf: csrf.to_owned(),
            note: note.map(|note| percent_decode_str(note).decode_utf8_lossy().into_owned()),
            script: accepts.contains("application/json"),
            cluster,
        }
    }

    /// The text in the language of the page.
    pub fn t<T>(&self, english: T, chinese: T) -> T {
        self.lang.t(english, chinese)
    }

    /// Path of the page, without query.
    pub fn path(&self) -> &str {
        self.here.split('?').next().unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = std::convert::Infallible;

    /// The guard has put it there.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let made = || Self::of(&parts.uri, &parts.headers, "", false);
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(made))
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
