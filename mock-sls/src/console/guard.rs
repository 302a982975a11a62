//! What happens to every request of the console before and after its page: who may ask, whether a form is our own,
//! and what the browser is told to allow.
//!
//! On loopback without a token everybody who reaches the port may ask, but only under a loopback name: a page of
//! another site whose name was made to point here (DNS rebinding) comes with its own. What changes something must
//! carry the csrf word of this run, which other sites cannot read, and must not say that it comes from elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use maud::html;
use sls_api::sign::Secret;

use super::Console;
use super::forms::{cookie as set_cookie, go};
use super::page::Page;
use super::problem::Problem;
use super::visit::{NOTE_COOKIE, Visit, cookie};

/// Largest form, in bytes: a pasted sample of logs, a ledger for the accounting page. Own choice.
const FORM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a browser keeps the token, in seconds.
const TOKEN_SECONDS: u64 = 7 * 86_400;
/// Bytes of words that are made up.
const WORD_BYTES: usize = 24;
/// Header that scripts send the csrf word in.
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf");
/// What browsers say about where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Scripts, styles and requests of this console only; nothing inline, nothing framed.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The body of a form whose csrf word is right.
#[derive(Clone)]
pub(super) struct SentBody(pub Bytes);

/// Who may come in.
pub(super) struct Door {
    token: Option<Secret>,
    /// Whether the token was made up here, so that whoever starts the emulator must be told.
    made_up: bool,
    csrf: String,
    /// Name of the token's cookie: cookies do not know ports.
    cookie: String,
}

impl Door {
    /// The door of a console that listens on `address`.
    pub fn new(address: SocketAddr, token: Option<Secret>) -> Self {
        let made_up = token.is_none() && !address.ip().is_loopback();
        let token = token.or_else(|| made_up.then(|| Secret::new(word())));
        Self { token, made_up, csrf: word(), cookie: format!("console-token-{}", address.port()) }
    }

    /// What to open in a browser.
    pub fn url(&self, address: SocketAddr) -> String {
        let host = match address.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        let port = address.port();
        match self.token.as_ref().filter(|_| self.made_up) {
            Some(token) => format!("http://{host}:{port}/?token={}", token.expose()),
            None => format!("http://{host}:{port}/"),
        }
    }

    /// Whether whoever sends these headers knows the token, or need not.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = || cookie(headers, &self.cookie).unwrap_or_default();
        self.token.as_ref().is_none_or(|token| same(token.expose(), given()))
    }

    /// Whether the request is addressed to a name of this machine. With a token it may be any: the token's
    /// cookie goes to the name only under which it was given.
    fn is_addressed(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.token.is_some() || is_loopback(host)
    }
}

/// Letters and digits that nobody guesses.
fn word() -> String {
    let mut bytes = [0; WORD_BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    // Fails where the system has no random numbers, so that nothing here would be safe.
    random.fill(&mut bytes).expect("the system gives random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling by its time where they differ.
fn same(wanted: &str, given: &str) -> bool {
    wanted.len() == given.len()
        && wanted.bytes().zip(given.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Lets a request in, answers it, and dresses what went wrong.
pub(super) async fn guard(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let door = &console.door;
    // Whoever was led here under another name learns nothing, not even the word of the forms.
    let csrf = if door.is_addressed(request.headers()) { door.csrf.as_str() } else { "" };
    let visit = Visit::of(request.uri(), request.headers(), csrf, console.cluster.is_some());
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = match admit(door, &visit, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if problem.status.is_server_error() {
            tracing::error!(path = visit.path(), %problem, "the console cannot answer");
        }
        response = problem.shown(&visit);
    }
    if visit.note.is_some() && !changes && !visit.script && !visit.path().starts_with("/assets/") {
        set_cookie(&mut response, NOTE_COOKIE, "", 0);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The request with its form read, if it may come in.
async fn admit(door: &Door, visit: &Visit, mut request: Request) -> Result<Request, Response> {
    if !door.is_addressed(request.headers()) {
        let why = "the console answers under the names of this machine only (localhost, 127.0.0.1); for another \
                   one start it with --console-token";
        return Err(Problem::forbidden(why).into_response());
    }
    if request.uri().path().starts_with("/assets/") {
        return Ok(request);
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if !changes {
        if let Some(answer) = token_in_query(door, &request) {
            return Err(answer);
        }
        if !door.knows(request.headers()) {
            return Err(ask_token(visit, StatusCode::UNAUTHORIZED));
        }
        request.extensions_mut().insert(visit.clone());
        return Ok(request);
    }
    own_site(request.headers()).map_err(IntoResponse::into_response)?;
    let (mut parts, body) = request.into_parts();
    let body = match Limited::new(body, FORM_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            let why = format!("the form cannot be read, or is larger than {FORM_BYTES_MAX} bytes");
            return Err(Problem::bad(why).into_response());
        }
    };
    let sent = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if !same(&door.csrf, &sent.unwrap_or_else(|| field(&body, "csrf"))) {
        let why = visit.t(
            "the form was not made by this run of the emulator: load the page again and repeat",
            "此表单不是由当前运行的模拟器生成的：请重新加载页面后重试",
        );
        return Err(Problem::forbidden(why).into_response());
    }
    if parts.uri.path() == "/login" {
        return Err(log_in(door, visit, &field(&body, "token")));
    }
    if !door.knows(&parts.headers) {
        return Err(ask_token(visit, StatusCode::UNAUTHORIZED));
    }
    parts.extensions.insert(visit.clone());
    parts.extensions.insert(SentBody(body));
    Ok(Request::from_parts(parts, Body::empty()))
}

/// Browsers say when another site sends.
fn own_site(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text(FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text(HOST).unwrap_or_default();
    let origin = text(ORIGIN).is_none_or(|origin| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
    });
    if site && origin { Ok(()) } else { Err(Problem::forbidden("the request comes from another site")) }
}

/// The first field of this name in a form.
fn field(body: &[u8], name: &str) -> String {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value).unwrap_or_default()
}

/// A token in the address becomes a cookie, so that it is in no history and no link.
fn token_in_query(door: &Door, request: &Request) -> Option<Response> {
    let token = door.token.as_ref()?;
    let query: Vec<(String, String)> = serde_urlencoded::from_str(request.uri().query()?).ok()?;
    let (_, given) = query.iter().find(|(key, _)| key == "token")?;
    if !same(token.expose(), given) {
        return None;
    }
    let mut response = go(request.uri().path()).into_response();
    set_cookie(&mut response, &door.cookie, token.expose(), TOKEN_SECONDS);
    Some(response)
}

fn log_in(door: &Door, visit: &Visit, given: &str) -> Response {
    match &door.token {
        Some(token) if !same(token.expose(), given) => ask_token(visit, StatusCode::FORBIDDEN),
        token => {
            let mut response = go("/").into_response();
            if let Some(token) = token {
                set_cookie(&mut response, &door.cookie, token.expose(), TOKEN_SECONDS);
            }
            response
        }
    }
}

fn ask_token(visit: &Visit, status: StatusCode) -> Response {
    if visit.script {
        let why = "this console needs a token: open its first page";
        return Problem { status, code: "Unauthorized".to_owned(), message: why.to_owned() }.shown(visit);
    }
    let page = Page::new(visit, visit.t("Token needed", "需要令牌")).closed().body(html! {
        @if status == StatusCode::FORBIDDEN {
            div.notice.bad role="alert" { p { (visit.t("That is not the token.", "令牌不正确。")) } }
        }
        form.card.narrow method="post" action="/login" {
            input type="hidden" name="csrf" value=(visit.csrf);
            div.field {
                label for="token" { (visit.t("Token of this console", "控制台令牌")) }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                p.hint { (visit.t(
                    "The emulator printed it when it started, or it was given with --console-token.",
                    "模拟器启动时会打印令牌，或通过 --console-token 指定。",
                )) }
            }
            div.actions { button.primary type="submit" { (visit.t("Open", "打开")) } }
        }
    });
    (status, page).into_response()
}
