//! The frame of all pages: header, place, side menu, footer.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets;
use super::lang::Lang;
use super::visit::{Theme, Visit};

/// A link in the place line or a menu: where to, and its text.
#[derive(Debug, Clone)]
pub(super) struct Link {
    to: String,
    text: String,
}

impl Link {
    /// A link.
    pub fn new(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to: to.into(), text: text.into() }
    }
}

/// A page in the making.
pub(super) struct Page<'v> {
    visit: &'v Visit,
    title: String,
    place: Vec<Link>,
    tabs: Vec<Link>,
    styles: Vec<&'static str>,
    scripts: Vec<&'static str>,
    body: Markup,
    closed: bool,
    wide: bool,
}

impl<'v> Page<'v> {
    /// A page of this title, also its heading.
    pub fn new(visit: &'v Visit, title: impl Into<String>) -> Self {
        Self {
            visit,
            title: title.into(),
            place: Vec::new(),
            tabs: Vec::new(),
            styles: Vec::new(),
            scripts: Vec::new(),
            body: PreEscaped(String::new()),
            closed: false,
            wide: false,
        }
    }

    /// Links that lead here, from the outermost.
    #[must_use]
    pub fn place(mut self, links: impl IntoIterator<Item = Link>) -> Self {
        self.place.extend(links);
        self
    }

    /// Pages beside this one; that at the path of the visit is marked.
    #[must_use]
    pub fn tabs(mut self, links: impl IntoIterator<Item = Link>) -> Self {
        self.tabs.extend(links);
        self
    }

    /// A further style sheet of `assets/`.
    #[must_use]
    pub fn style(mut self, name: &'static str) -> Self {
        self.styles.push(name);
        self
    }

    /// A module of `assets/` that the page runs.
    #[must_use]
    pub fn script(mut self, name: &'static str) -> Self {
        self.scripts.push(name);
        self
    }

    /// For a visitor who may not come in: no menus.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    /// Uses the whole width of the window.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// What is below the heading.
    #[must_use]
    pub fn body(mut self, body: Markup) -> Self {
        self.body = body;
        self
    }

    /// What is below that.
    #[must_use]
    pub fn and(mut self, more: Markup) -> Self {
        self.body = html! { (self.body) (more) };
        self
    }

    fn frame(self) -> Markup {
        let visit = self.visit;
        html! {
            (DOCTYPE)
            html lang=(visit.lang.t("en", "zh-CN")) data-theme=(visit.theme.name()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="csrf" content=(visit.csrf);
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · mock-sls" }
                    link rel="icon" type="image/svg+xml" href=(assets::path("icon.svg"));
                    link rel="stylesheet" href=(assets::path("console.css"));
                    @for style in &self.styles { link rel="stylesheet" href=(assets::path(style)); }
                    script type="module" src=(assets::path("console.js")) {}
                    @for script in &self.scripts { script type="module" src=(assets::path(script)) {} }
                }
                body {
                    a.skip href="#main" { (visit.t("Skip to the content", "跳到内容")) }
                    header.top {
                        a.brand href="/" { "mock-sls" }
                        @if !self.closed { (menu(visit)) }
                        (preferences(visit))
                    }
                    main #main tabindex="-1" class=[self.wide.then_some("wide")] {
                        @if !self.place.is_empty() {
                            nav.place aria-label=(visit.t("Place", "位置")) {
                                @for link in &self.place { a href=(link.to) { (link.text) } span aria-hidden="true" { "/" } }
                            }
                        }
                        @if let Some(note) = &visit.note { div.notice.good role="status" { p { (note) } } }
                        h1 { bdi { (self.title) } }
                        @if !self.tabs.is_empty() {
                            nav.tabs aria-label=(visit.t("Pages of this", "相关页面")) {
                                @for link in &self.tabs { a href=(link.to) aria-current=[current(visit, &link.to)] { (link.text) } }
                            }
                        }
                        (self.body)
                    }
                    footer { (visit.t("An emulator of Log Service", "日志服务模拟器")) " · mock-sls " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    }
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        Html(self.frame().into_string()).into_response()
    }
}

fn current(visit: &Visit, to: &str) -> Option<&'static str> {
    (visit.path() == to.split('?').next().unwrap_or_default()).then_some("page")
}

/// The parts of the console.
fn menu(visit: &Visit) -> Markup {
    let at = visit.path();
    let within = |start: &str| at == start || at.starts_with(&format!("{start}/"));
    let projects = at == "/" || within("/projects");
    let link = |to: &str, text: &str, here: bool| {
        html! { a href=(to) aria-current=[here.then_some("true")] { (text) } }
    };
    html! {
        nav.menu aria-label=(visit.t("Console", "控制台")) {
            (link("/", visit.t("Projects", "项目"), projects))
            (link("/agents", visit.t("Agents", "采集端"), within("/agents")))
            (link("/testbed/journal", visit.t("Test bed", "测试台"), within("/testbed")))
            @if visit.cluster { (link("/cluster", visit.t("Cluster", "集群"), within("/cluster"))) }
        }
    }
}

/// Buttons for language and colours.
fn preferences(visit: &Visit) -> Markup {
    let next = match visit.theme {
        Theme::System => Theme::Dark,
        Theme::Dark => Theme::Light,
        Theme::Light => Theme::System,
    };
    let theme = match visit.theme {
        Theme::System => visit.t("Colours: system", "配色：跟随系统"),
        Theme::Dark => visit.t("Colours: dark", "配色：深色"),
        Theme::Light => visit.t("Colours: light", "配色：浅色"),
    };
    let other = visit.lang.t(Lang::Zh, Lang::En);
    html! {
        form.preferences method="post" action="/preferences" {
            (csrf(visit))
            input type="hidden" name="back" value=(visit.here);
            button.quiet type="submit" name="theme" value=(next.name()) { (theme) }
            button.quiet type="submit" name="lang" value=(other.tag()) lang=(other.t("en", "zh-CN")) { (other.t("English", "中文")) }
        }
    }
}

/// What every form of a page must hold.
pub(super) fn csrf(visit: &Visit) -> Markup {
    html! { input type="hidden" name="csrf" value=(visit.csrf); }
}

/// A button that sends these fields to `action` by itself, after a question if there is one.
pub(super) fn act(
    visit: &Visit,
    action: &str,
    fields: &[(&str, &str)],
    text: &str,
    question: Option<&str>,
) -> Markup {
    html! {
        form.inline method="post" action=(action) data-confirm=[question] {
            (csrf(visit))
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button type="submit" class=[question.map(|_| "danger")] { (text) }
        }
    }
}

/// A time in seconds since 1970 as UTC; a script shows it in the zone of the browser.
pub(super) fn time(seconds: i64) -> Markup {
    let text = jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default();
    html! { time datetime=(text) { (text) } }
}

/// What a page shows where there is nothing to show.
pub(super) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}
