//! An emulator with a console whose time stands still, a Logstore, and requests as a browser sends them.

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mock_sls::clock::Clock;
use mock_sls::{Config, ConsoleSettings, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls, Running};
use serde_json::{Value, json};
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index};
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig};
use tokio::net::TcpStream;

/// What time it is.
pub const NOW: u32 = 1_700_000_000;
const LOGSTORE: &str = "/projects/shop/logstores/";

pub struct Bed {
    server: Running,
    client: Client,
    project: ProjectName,
}

/// An answer of the console.
pub struct Page {
    pub status: StatusCode,
    pub location: String,
    pub text: String,
}

impl Page {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    pub fn has(&self, part: &str) -> &Self {
        assert!(self.text.contains(part), "{part:?} is not in the page: {}", self.main());
        self
    }

    pub fn has_not(&self, part: &str) -> &Self {
        assert!(!self.text.contains(part), "{part:?} is in the page: {}", self.main());
        self
    }

    /// The first link whose address has this part, as an address.
    pub fn link(&self, part: &str) -> String {
        let links = self.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let link = links.into_iter().find(|link| link.contains(part));
        link.unwrap_or_else(|| panic!("no link with {part:?}: {}", self.main())).replace("&amp;", "&")
    }

    fn main(&self) -> &str {
        let from = self.text.find("<main").unwrap_or_default();
        let end = self.text.len().min(from + 20_000);
        self.text.get(from..end).unwrap_or(&self.text)
    }
}

impl Bed {
    pub async fn start() -> Self {
        let now = Timestamp::from_second(i64::from(NOW)).expect("a moment");
        let config = Config {
            console: Some(ConsoleSettings::default()),
            clock: Clock::manual(now),
            // Clients sign with the real time.
            auth: mock_sls::Auth::Off,
            ..Config::default()
        };
        let server = MockSls::start(config).await.expect("the server starts");
        let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let endpoint = server.endpoint().parse().expect("the endpoint is valid");
        let client = Client::new(ClientConfig::new(endpoint, key)).expect("the client config is valid");
        let project: ProjectName = "shop".parse().expect("a valid name");
        let new = Json(NewProject::new(project.clone(), "queries"));
        let made = client.send::<CreateProject>(Some(&project), &NoPath {}, &NoQuery {}, &new).await;
        made.expect("a new project");
        Self { server, client, project }
    }

    pub async fn logstore_without_index(&self, name: &str) -> InLogstore {
        let path = InLogstore { logstore: name.parse().expect("a valid name") };
        let settings = Json(LogstoreSettings::new(path.logstore.clone(), 30, 1));
        let made =
            self.client.send::<CreateLogStore>(Some(&self.project), &NoPath {}, &NoQuery {}, &settings);
        made.await.expect("a new Logstore");
        path
    }

    /// A Logstore whose text is indexed, and fields as `{"status": "long"}` says.
    pub async fn logstore(&self, name: &str, fields: Value) {
        let path = self.logstore_without_index(name).await;
        let token = [" ", ",", "\"", "/", ":", "\n"];
        let key = |kind: &Value| json!({ "type": kind, "token": token, "doc_value": true });
        let keys: serde_json::Map<String, Value> = fields
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, kind)| (name.clone(), key(kind)))
            .collect();
        let mut index = json!({ "line": { "token": token } });
        if !keys.is_empty() {
            index["keys"] = keys.into();
        }
        let index: Index = serde_json::from_value(index).expect("an index");
        let made =
            self.client.send::<CreateIndex>(Some(&self.project), &path, &NoQuery {}, &Json(index)).await;
        made.expect("a new index");
    }

    /// Writes logs: so many seconds ago, with these fields.
    pub async fn put(&self, logstore: &str, logs: &[(u32, Vec<(&str, Bytes)>)]) {
        let log = |(ago, fields): &(u32, Vec<(&str, Bytes)>)| Log {
            time: NOW - ago,
            contents: fields.iter().map(|(name, value)| Content::new(*name, value.clone())).collect(),
            time_ns: None,
        };
        let tag = |key: &str, value: &str| LogTag { key: key.to_owned(), value: value.to_owned() };
        let group = LogGroup {
            logs: logs.iter().map(log).collect(),
            source: Some("10.0.0.1".to_owned()),
            log_tags: vec![tag("__path__", "/var/log/app.log"), tag("__pack_id__", "5F0A1B2C3D4E5F60-1")],
            ..LogGroup::default()
        };
        let path = InLogstore { logstore: logstore.parse().expect("a valid name") };
        let body = CompressedLogs::from_group(&group, Compression::Lz4).expect("a group that packs");
        let put = self.client.send::<PutLogs>(Some(&self.project), &path, &NoQuery {}, &body).await;
        put.expect("logs are taken");
    }

    /// The query page of a Logstore, or what is below it.
    pub async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, &format!("{LOGSTORE}{path}"), "text/html", "").await
    }

    pub async fn json(&self, path: &str) -> Page {
        self.ask(Method::GET, &format!("{LOGSTORE}{path}"), "application/json", "").await
    }

    /// An address that a page gave.
    pub async fn follow(&self, link: &str) -> Page {
        self.ask(Method::GET, link, "text/html", "").await
    }

    /// Sends a form below a Logstore, with what the page has given for that.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let page = self.ask(Method::GET, "/", "text/html", "").await;
        let (_, rest) = page.text.split_once("name=\"csrf\" content=\"").expect("a csrf word");
        let csrf = rest.split('"').next().unwrap_or_default();
        let fields: Vec<(&str, &str)> = form.iter().copied().chain([("csrf", csrf)]).collect();
        let body = serde_urlencoded::to_string(fields).expect("a form");
        self.ask(Method::POST, &format!("{LOGSTORE}{path}"), "text/html", &body).await
    }

    async fn ask(&self, method: Method, target: &str, accept: &str, body: &str) -> Page {
        let response = self.send(method, target, accept, body).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let location = head.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Page {
            status: head.status,
            location: location.to_owned(),
            text: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }

    /// A line of an answer that does not end.
    pub async fn stream(&self, path: &str) -> Stream {
        let response = self.send(Method::GET, &format!("{LOGSTORE}{path}"), "application/json", "").await;
        assert_eq!(response.status(), StatusCode::OK);
        Stream { body: response.into_body(), rest: String::new() }
    }

    async fn send(&self, method: Method, target: &str, accept: &str, body: &str) -> http::Response<Incoming> {
        let url = self.server.console_url().expect("a console");
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(host).await.expect("the console accepts");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", host)
            .header("accept", accept)
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        sender.send_request(request).await.expect("an answer")
    }
}

pub struct Stream {
    body: Incoming,
    rest: String,
}

impl Stream {
    pub async fn line(&mut self) -> Value {
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n') {
                let line = serde_json::from_str(line).expect("JSON");
                self.rest = rest.to_owned();
                return line;
            }
            let frame = self.body.frame().await.expect("more to come").expect("a connection");
            let bytes = frame.into_data().expect("data");
            self.rest.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }
}
