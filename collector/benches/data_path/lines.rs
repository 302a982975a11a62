//! The lines that are collected: the same requests in the form of each mode, no two alike.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

/// How the lines of a file look; each is in a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Access,
    Json,
    Columns,
    Apsara,
}

impl Form {
    pub const ALL: [Self; 4] = [Self::Access, Self::Json, Self::Columns, Self::Apsara];

    pub fn file_name(self) -> &'static str {
        match self {
            Self::Access => "access.log",
            Self::Json => "json.log",
            Self::Columns => "columns.log",
            Self::Apsara => "apsara.log",
        }
    }
}

/// One request.
struct Request {
    second: usize,
    ip: [u8; 4],
    method: &'static str,
    url: String,
    latency: u16,
    payload: u16,
    status: u16,
    size: u32,
    referrer: u16,
    agent: &'static str,
    port: u32,
}

/// Writes lines of `form`; returns bytes and lines.
pub fn generate(path: &Path, form: Form, bytes: usize) -> (usize, usize) {
    let mut random = fastrand::Rng::with_seed(7);
    let mut out = BufWriter::new(fs::File::create(path).expect("create"));
    let (mut written, mut lines) = (0, 0);
    while written < bytes {
        let line = line(form, &request(&mut random, lines));
        out.write_all(line.as_bytes()).expect("write");
        written += line.len();
        lines += 1;
    }
    out.flush().expect("flush");
    (written, lines)
}

fn request(random: &mut fastrand::Rng, number: usize) -> Request {
    let agents = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "curl/8.8.0",
        "kube-probe/1.30",
    ];
    let pages =
        ["/index.html", "/api/v1/orders/search", "/static/js/vendor.min.js", "/health/ready", "/img/a.webp"];
    let methods = ["GET", "GET", "GET", "POST", "PUT"];
    Request {
        second: number / 1_000,
        ip: [random.u8(1..224), random.u8(..), random.u8(..), random.u8(..)],
        method: random.choice(methods).expect("method"),
        url: format!(
            "{}?seq={number:010}&token={:016x}",
            random.choice(pages).expect("page"),
            random.u64(..)
        ),
        latency: random.u16(..1000),
        payload: random.u16(100..2000),
        status: random.choice([200, 200, 304, 404, 500]).expect("status"),
        size: random.u32(10..100_000),
        referrer: random.u16(..),
        agent: random.choice(agents).expect("agent"),
        port: random.u32(..),
    }
}

fn line(form: Form, request: &Request) -> String {
    let Request { second, ip: [a, b, c, d], method, url, latency, payload, status, size, .. } = request;
    let Request { referrer, agent, port, .. } = request;
    let clock = format!("{:02}:{:02}:{:02}", second / 3_600 % 24, second / 60 % 60, second % 60);
    match form {
        Form::Access => format!(
            "13/Nov/2018:{clock} {a}.{b}.{c}.{d} - - \"{method} {url} HTTP/1.1\" 0.{latency:03} {payload} {status} \
             {size} https://www.example.com/{referrer} \"{agent}\" {port}\n"
        ),
        // One value in four has escapes, as paths and quotes have in logs of programs.
        Form::Json => format!(
            "{{\"time\":\"2018-11-13 {clock}\",\"ip\":\"{a}.{b}.{c}.{d}\",\"method\":\"{method}\",\"url\":\"{url}\",\
             \"latency\":0.{latency:03},\"payload\":{payload},\"status\":{status},\"size\":{size},\
             \"referrer\":\"https:\\/\\/www.example.com\\/{referrer}\",\"agent\":\"{agent}\",\"port\":{port}}}\n"
        ),
        Form::Columns => format!(
            "2018-11-13 {clock},{a}.{b}.{c}.{d},{method},{url},0.{latency:03},{payload},{status},{size},\
             https://www.example.com/{referrer},\"{agent}\",{port}\n"
        ),
        Form::Apsara => format!(
            "[2018-11-13 {clock}.{latency:06}]\t[INFO]\t[{port}]\t[src/server/access.cpp:{payload}]\tip:{a}.{b}.{c}.{d}\t\
             method:{method}\turl:{url}\tstatus:{status}\tsize:{size}\treferrer:https://www.example.com/{referrer}\t\
             agent:{agent}\n"
        ),
    }
}
