//! Somebody who visits the console: reads pages, and sends forms as a browser does.

use std::time::Duration;

use mock_sls::{Auth, Config, ConsoleSettings, MockSls, Running};
use prost::Message;
use sls_api::Operation;
use sls_api::names::ProjectName;
use sls_client::{Client, ClientConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for an answer: a guard against hanging.
const HANG: Duration = Duration::from_secs(30);

/// An emulator with its console.
pub struct Visitor {
    pub server: Running,
    client: Client,
    console: String,
    csrf: String,
}

/// An answer.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub text: String,
}

impl Page {
    /// The page has all these texts.
    #[track_caller]
    pub fn has(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is not in {} {}", self.status, self.text);
        }
        self
    }

    /// The page has none of these texts.
    #[track_caller]
    pub fn lacks(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.text.contains(text), "{text:?} is in {}", self.text);
        }
        self
    }
}

impl Visitor {
    /// An emulator with the project `demo`, and somebody in front of its console.
    pub async fn start() -> Self {
        let config =
            Config { auth: Auth::Off, console: Some(ConsoleSettings::default()), ..Config::default() };
        let server = MockSls::start(config).await.expect("the server starts");
        let console = server.console_url().expect("a console").to_owned();
        let console = console.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let key = sls_api::sign::AccessKey::new(
            mock_sls::DEFAULT_ACCESS_KEY_ID,
            mock_sls::DEFAULT_ACCESS_KEY_SECRET,
        );
        let endpoint = server.endpoint().parse().expect("the endpoint is valid");
        let client = Client::new(ClientConfig::new(endpoint, key)).expect("the client config is valid");
        let mut visitor = Self { server, client, console, csrf: String::new() };
        let first = visitor.get("/").await;
        let (_, rest) = first.text.split_once("name=\"csrf\" content=\"").expect("a word for forms");
        visitor.csrf = rest.split('"').next().unwrap().to_owned();
        visitor.post("/projects", &[("project", "demo"), ("description", "of tests")]).await;
        visitor
    }

    /// Reads a page.
    pub async fn get(&self, path: &str) -> Page {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.console);
        exchange(&self.console, request.as_bytes()).await
    }

    /// Reads a page that must be there.
    pub async fn page(&self, path: &str) -> Page {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        page
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut all = vec![("csrf", self.csrf.as_str())];
        all.extend(fields);
        let body = serde_urlencoded::to_string(all).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.console,
            body.len()
        );
        exchange(&self.console, request.as_bytes()).await
    }

    /// Sends a form that must have an effect; returns where it leads.
    pub async fn done(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let page = self.post(path, fields).await;
        assert_eq!(page.status, 303, "{path} {fields:?}: {}", page.text);
        page.location
    }

    /// Calls the API as an SDK does.
    pub async fn ask<O: Operation>(&self, path: O::Path, query: O::Query, body: O::Body) -> O::Reply {
        let project: ProjectName = "demo".parse().unwrap();
        self.client.send::<O>(Some(&project), &path, &query, &body).await.expect("the API answers")
    }

    /// Sends a message of the agent protocol to the API.
    pub async fn agent<M: Message + Default>(&self, path: &str, message: &impl Message) -> M {
        let body = message.encode_to_vec();
        let api = self.server.addr().to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (status, _, answer) = raw(&api, &[head.as_bytes(), &body].concat()).await;
        assert_eq!(status, 200);
        M::decode(answer.as_slice()).unwrap()
    }
}

async fn exchange(address: &str, request: &[u8]) -> Page {
    let (status, head, body) = raw(address, request).await;
    let location = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
    Page { status, location: location.to_owned(), text: String::from_utf8_lossy(&body).into_owned() }
}

async fn raw(address: &str, request: &[u8]) -> (u16, String, Vec<u8>) {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(HANG, talk).await.expect("an answer in time");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}
