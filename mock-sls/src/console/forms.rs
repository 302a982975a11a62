//! What forms send, and the answers to them: "see there", with a word about what was done.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::guard::SentBody;
use super::problem::Problem;
use super::visit::NOTE_COOKIE;

/// How long a word about what was done waits for its page, in seconds.
const NOTE_SECONDS: u64 = 60;
/// Characters of such a word: a cookie is small.
const NOTE_CHARS_MAX: usize = 300;

/// The fields of a form. A field that is there twice is an error of the type, unless it is a
/// [`Pairs`].
pub(super) struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = sent(&request)?;
        let fields = serde_urlencoded::from_bytes(&body.0);
        fields.map(Self).map_err(|error| Problem::bad(format!("the form: {error}")))
    }
}

/// All fields of a form as they came, for forms with lists.
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// The first field of this name, without the blanks around it.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The same, but nothing if it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// All fields of this name, as they came.
    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box of this name is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The number in a field; nothing if it is empty.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Problem::bad(format!("{name}: {text:?} is no number that fits")))
        };
        self.filled(name).map(parse).transpose()
    }

    /// A name or other checked value in a field.
    pub fn parsed<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.text(name).parse().map_err(|error| Problem::bad(format!("{name}: {error}")))
    }
}

impl<S: Sync> FromRequest<S> for Pairs {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = sent(&request)?;
        let pairs = serde_urlencoded::from_bytes(&body.0);
        pairs.map(Self).map_err(|error| Problem::bad(format!("the form: {error}")))
    }
}

fn sent(request: &Request) -> Result<SentBody, Problem> {
    let body = request.extensions().get::<SentBody>().cloned();
    body.ok_or_else(|| Problem::bad("the request has no form"))
}

/// "See there", where `path` is of this console.
pub(super) fn go(path: &str) -> impl IntoResponse + use<> {
    let location = HeaderValue::from_str(path).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)])
}

/// "See there", and what the page there has to say first.
pub(super) fn done(path: &str, note: &str) -> Response {
    let mut response = go(path).into_response();
    let note: String = note.chars().take(NOTE_CHARS_MAX).collect();
    let value = utf8_percent_encode(&note, NON_ALPHANUMERIC).to_string();
    cookie(&mut response, NOTE_COOKIE, &value, NOTE_SECONDS);
    response
}

/// Sets a cookie that scripts do not read and other sites do not send. Zero seconds removes it.
pub(super) fn cookie(response: &mut Response, name: &str, value: &str, seconds: u64) {
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    // Values are of this console: names, hexadecimal digits, percent-encoded text.
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
