//! Just enough HTTP/1.1 for the clients of collectors: bodies with a length or in chunks, kept connections.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes read from a connection at once.
const READ_BYTES: usize = 256 * 1024;
/// Longest body or line that is taken: far above what collectors send, below what memory there is.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A request with its whole body.
pub struct Request {
    pub method: String,
    pub path: String,
    /// Without the `?`.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A connection with what was read ahead.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    /// `read[at..]` is not used yet.
    at: usize,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new(), at: 0 }
    }

    pub fn answer(&mut self, answer: &[u8]) -> io::Result<()> {
        self.stream.write_all(answer)
    }

    /// The next request; none when the client has closed.
    pub fn next_request(&mut self) -> io::Result<Option<Request>> {
        let Some(first) = self.line()? else { return Ok(None) };
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            if let (Ok(name), Ok(value)) =
                (name.trim().parse::<HeaderName>(), HeaderValue::from_str(value.trim()))
            {
                request.headers.append(name, value);
            }
        }
        if request.header("expect").eq_ignore_ascii_case("100-continue") {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if request.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            self.chunks(&mut request.body)?;
        } else {
            let length = request.header("content-length").parse().unwrap_or(0);
            self.take(length, &mut request.body)?;
        }
        Ok(Some(request))
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
            self.take(length, body)?;
            self.line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut searched = self.at;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.read[searched..]) {
                let line = &self.read[self.at..searched + end];
                let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
                self.at = searched + end + 1;
                return Ok(Some(line));
            }
            let unused = self.read.len() - self.at;
            if unused > BODY_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if !self.fill()? {
                return if unused == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            searched = self.at + unused;
        }
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.read.drain(..self.at);
        self.at = 0;
        let len = self.read.len();
        self.read.resize(len + READ_BYTES, 0);
        let n = self.stream.read(&mut self.read[len..])?;
        self.read.truncate(len + n);
        Ok(n > 0)
    }

    fn take(&mut self, length: usize, out: &mut Vec<u8>) -> io::Result<()> {
        if out.len() + length > BODY_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let there = length.min(self.read.len() - self.at);
        out.extend_from_slice(&self.read[self.at..self.at + there]);
        self.at += there;
        let start = out.len();
        out.resize(start + length - there, 0);
        self.stream.read_exact(&mut out[start..])
    }
}
