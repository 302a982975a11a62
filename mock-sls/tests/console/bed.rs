//! A server with a console, and a visitor who keeps cookies and sends forms.

use std::net::SocketAddr;

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mock_sls::{Config, ConsoleSettings, MockSls, Running};
use serde_json::Value;

/// What the console answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: impl AsRef<str>) -> &str {
        self.headers.get(name.as_ref()).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header(LOCATION)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The page without its frame.
    pub fn content(&self) -> &str {
        self.body.split_once("<main").map_or(&self.body, |(_, content)| content)
    }

    /// Fails with the page unless it has all of these.
    #[track_caller]
    pub fn has(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                self.body.contains(part),
                "no {part:?} in the answer {}:\n{}",
                self.status,
                self.content()
            );
        }
    }

    #[track_caller]
    pub fn lacks(&self, parts: &[&str]) {
        for part in parts {
            assert!(!self.body.contains(part), "{part:?} is in the answer:\n{}", self.content());
        }
    }
}

/// A request in the making.
pub struct Asked<'v> {
    visitor: &'v Visitor,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Asked<'_> {
    pub fn with(mut self, name: impl TryInto<HeaderName>, value: &str) -> Self {
        let name = name.try_into().ok().expect("a header's name");
        self.headers.push((name, value.parse().unwrap()));
        self
    }

    pub async fn send(self) -> Answer {
        let Self { visitor, method, path, headers, body } = self;
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", visitor.address));
        if !headers.iter().any(|(name, _)| name == COOKIE) && !visitor.cookies.is_empty() {
            request = request.header(COOKIE, &visitor.cookies);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = visitor.http.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }
}

/// Somebody with a browser.
pub struct Visitor {
    pub http: Client<HttpConnector, Full<bytes::Bytes>>,
    pub address: SocketAddr,
    /// What he sends as cookies.
    pub cookies: String,
    /// Word of the forms that he was shown.
    pub csrf: String,
}

impl Visitor {
    pub async fn of(server: &Running) -> Self {
        let http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let address = server.console_addr().expect("a console");
        let mut visitor = Self { http, address, cookies: String::new(), csrf: String::new() };
        let first = visitor.get("/").await;
        visitor.csrf = between(&first.body, "name=\"csrf\" content=\"", "\"").to_owned();
        visitor
    }

    pub fn asks(&self, method: Method, path: &str) -> Asked<'_> {
        Asked { visitor: self, method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.asks(Method::GET, path).send().await
    }

    /// Sends a form of his own, with the word in it.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Asked<'_> {
        let fields: Vec<(&str, &str)> =
            [("csrf", self.csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.raw_form(path, serde_urlencoded::to_string(fields).unwrap().into_bytes())
    }

    /// Sends these bytes as a form.
    pub fn raw_form(&self, path: &str, body: Vec<u8>) -> Asked<'_> {
        Asked { body, ..self.asks(Method::POST, path) }
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form(path, fields).send().await
    }

    /// Sends a form that must be taken, and follows to the page that it leads to.
    #[track_caller]
    pub fn does<'v>(&'v self, path: &str, fields: &[(&str, &str)]) -> impl Future<Output = Answer> + 'v {
        let asked = self.form(path, fields);
        async move {
            let done = asked.send().await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.content());
            let note = set_cookie(&done, "console-note").map_or("", |note| note.split(';').next().unwrap());
            let cookies = format!("{}; console-note={note}", self.cookies);
            self.asks(Method::GET, done.location()).with(COOKIE, &cookies).send().await
        }
    }
}

/// The value of a cookie that an answer sets, with its attributes.
pub fn set_cookie<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let all = answer.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    all.filter_map(|text| text.strip_prefix(name)?.strip_prefix('=')).next()
}

/// The text between two others.
#[track_caller]
pub fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("no {begin:?} in {text}"));
    rest.split_once(end).map_or(rest, |(between, _)| between)
}

/// A server with a console for everybody who reaches it.
pub async fn start() -> Running {
    start_with(ConsoleSettings::default()).await
}

pub async fn start_with(console: ConsoleSettings) -> Running {
    let config = Config { console: Some(console), ..Config::default() };
    MockSls::start(config).await.expect("the server starts")
}
