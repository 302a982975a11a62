//! What lists of named things share: the box for a part of the name, and the pages.

use maud::{Markup, html};
use serde::Deserialize;

use super::visit::Visit;

/// Which part of a list is wanted.
#[derive(Deserialize)]
pub(super) struct Wanted {
    /// Part of the name; empty for all.
    #[serde(default)]
    pub name: String,
    /// Things before this page.
    #[serde(default)]
    pub offset: i64,
}

impl Wanted {
    /// The part of the name, if one is given.
    pub fn named(&self) -> Option<String> {
        Some(self.name.clone()).filter(|name| !name.is_empty())
    }
}

/// The box for a part of the name, and how many there are.
pub(super) fn search(visit: &Visit, wanted: &Wanted, total: u64) -> Markup {
    let part = visit.t("Part of the name", "名称的一部分");
    html! {
        div.spread {
            form.row method="get" role="search" {
                input type="search" name="name" value=(wanted.name) aria-label=(part) placeholder=(part);
                button type="submit" { (visit.t("Find", "查找")) }
            }
            span.quiet-text { (total) " " (visit.t("in all", "个")) }
        }
    }
}

/// Links to the pages before and behind this one, of `size` things each, at `path`.
pub(super) fn pages(
    visit: &Visit,
    path: &str,
    wanted: &Wanted,
    size: i64,
    (shown, total): (u64, u64),
) -> Markup {
    let name = serde_urlencoded::to_string([("name", wanted.name.as_str())]).unwrap_or_default();
    let at = |offset: i64| format!("{path}?offset={offset}&{name}");
    let behind = wanted.offset.saturating_add(i64::try_from(shown).unwrap_or(i64::MAX));
    let more = u64::try_from(behind).is_ok_and(|behind| behind < total);
    html! {
        nav.row aria-label=(visit.t("Pages", "分页")) {
            @if wanted.offset > 0 { a.button href=(at((wanted.offset - size).max(0))) { (visit.t("Before", "上一页")) } }
            @if more { a.button href=(at(wanted.offset + size)) { (visit.t("Next", "下一页")) } }
        }
    }
}
