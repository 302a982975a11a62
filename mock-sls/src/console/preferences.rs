//! Language and colours, kept in cookies.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;

use super::Console;
use super::forms::{Sent, cookie, go};
use super::lang::Lang;
use super::problem::Problem;
use super::visit::{LANG_COOKIE, THEME_COOKIE, Theme};

/// How long a browser keeps them, in seconds.
const KEPT_SECONDS: u64 = 365 * 86_400;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/preferences", post(set))
}

#[derive(Deserialize)]
struct Preferences {
    lang: Option<String>,
    theme: Option<String>,
    back: String,
}

async fn set(Sent(wanted): Sent<Preferences>) -> Result<Response, Problem> {
    // Not to another site: "//host" would be one.
    let own = wanted.back.starts_with('/') && !wanted.back.starts_with("//") && !wanted.back.contains('\\');
    let mut response = go(if own { &wanted.back } else { "/" }).into_response();
    if let Some(lang) = &wanted.lang {
        let lang = Lang::named(lang).ok_or_else(|| Problem::bad("lang is en or zh"))?;
        cookie(&mut response, LANG_COOKIE, lang.tag(), KEPT_SECONDS);
    }
    if let Some(theme) = &wanted.theme {
        let theme = Theme::named(theme).ok_or_else(|| Problem::bad("theme is system, light or dark"))?;
        cookie(&mut response, THEME_COOKIE, theme.name(), KEPT_SECONDS);
    }
    Ok(response)
}
