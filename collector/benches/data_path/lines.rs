//! The lines that are collected: the same requests in the form of each mode, no two alike.
//!
//! Every line has its number as `seq=` and ten digits, by which a sink tells lost and repeated ones. Lengths are
//! those of performance.md: 272 bytes an access line, 373 a JSON line, on average.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// How the lines of a file look; each is in a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Access,
    /// Access lines with letters beyond ASCII in the path and the agent.
    ForeignAccess,
    Json,
    /// One value in eleven has escapes, as paths and quotes have in logs of programs.
    EscapedJson,
    Columns,
    Apsara,
    /// Records of a first line and a stack below it.
    Stacks,
}

impl Form {
    /// The name of its file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Access => "access.log",
            Self::ForeignAccess => "foreign.log",
            Self::Json => "json.log",
            Self::EscapedJson => "escaped.log",
            Self::Columns => "columns.log",
            Self::Apsara => "apsara.log",
            Self::Stacks => "stacks.log",
        }
    }
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
    "okhttp/4.12.0",
    "kube-probe/1.30",
];
const PAGES: [&str; 7] = [
    "/index.html",
    "/api/v1/orders/search",
    "/api/v1/accounts/profile/picture.png",
    "/static/js/vendor.bundle.min.js",
    "/health/ready",
    "/shop/catalogue/items/details",
    "/img/banners/summer/large.webp",
];
const FOREIGN_PAGES: [&str; 4] =
    ["/搜索/订单", "/商店/目录/商品/详情", "/магазин/каталог/товары", "/boutique/été/promotions"];
const FOREIGN_AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Linux; Android 14; 微信浏览器) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Mobile Safari/537.36",
    "Яндекс.Браузер/24.6 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
    "购物助手/4.12.0",
];
const REFERRERS: [&str; 4] = [
    "https://www.example.com/shop/entrance",
    "https://search.example.org/results?page=2",
    "-",
    "https://m.example.net/campaign/spring/offers",
];
const METHODS: [&str; 8] = ["GET", "GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD"];
const STATUSES: [u16; 9] = [200, 200, 200, 200, 304, 302, 404, 500, 503];
/// Lines below the first of a record of [`Form::Stacks`], at most.
const FRAMES_MAX: usize = 9;
const FRAMES: [&str; 6] = [
    "\tat com.example.shop.orders.OrderService.place(OrderService.java:",
    "\tat com.example.shop.web.RequestFilter.doFilterInternal(RequestFilter.java:",
    "\tat org.example.framework.web.servlet.Dispatcher.dispatch(Dispatcher.java:",
    "\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:",
    "\tat com.example.storage.Connection.executeQuery(Connection.java:",
    "Caused by: com.example.storage.TimeoutException: no connection after ms=",
];

/// Makes lines of one form, one after the other.
pub struct Lines {
    form: Form,
    random: fastrand::Rng,
    number: u64,
}

impl Lines {
    /// From the line of this number on.
    pub fn new(form: Form, number: u64) -> Self {
        Self { form, random: fastrand::Rng::with_seed(7 + number), number }
    }

    /// Appends the next line, or record.
    pub fn append(&mut self, out: &mut String) {
        let number = self.number;
        self.number += 1;
        let random = &mut self.random;
        let (second, milli) = (number / 1_000, number % 1_000);
        let (hour, minute, second) = (second / 3_600 % 24, second / 60 % 60, second % 60);
        let clock = format_args!("{hour:02}:{minute:02}:{second:02}.{milli:03}");
        let [a, b, c, d] = [random.u8(1..224), random.u8(..), random.u8(..), random.u8(..)];
        let method = random.choice(METHODS).unwrap_or("GET");
        let is_foreign = self.form == Form::ForeignAccess;
        let pages: &[&str] = if is_foreign { &FOREIGN_PAGES } else { &PAGES };
        let page = random.choice(pages).unwrap_or(&"/");
        let token = random.u64(..);
        let url = format_args!("{page}?seq={number:010}&sid={token:016x}");
        let latency = random.u16(..3_000);
        let payload = random.u16(..20_000);
        let status = random.choice(STATUSES).unwrap_or(200);
        let size = random.u32(..900_000);
        let referrer = random.choice(REFERRERS).unwrap_or("-");
        let agents: &[&str] = if is_foreign { &FOREIGN_AGENTS } else { &AGENTS };
        let agent = random.choice(agents).unwrap_or(&"-");
        let upstream = random.u16(..1_000);
        let written = match self.form {
            Form::Access | Form::ForeignAccess => writeln!(
                out,
                "2026-08-22T{clock}+08:00 {a}.{b}.{c}.{d} - - \"{method} {url} HTTP/1.1\" 0.{latency:04} {payload} \
                 {status} {size} {referrer} \"{agent}\" \"-\" rt=0.{upstream:03}"
            ),
            Form::Json | Form::EscapedJson => {
                let is_escaped = self.form == Form::EscapedJson;
                let referrer = if is_escaped { &referrer.replace('/', "\\/") } else { referrer };
                writeln!(
                    out,
                    "{{\"time\":\"2026-08-22T{clock}+08:00\",\"ip\":\"{a}.{b}.{c}.{d}\",\"method\":\"{method}\",\
                     \"url\":\"{url}\",\"protocol\":\"HTTP/1.1\",\"latency\":0.{latency:04},\"payload\":{payload},\
                     \"status\":{status},\"response-size\":{size},\"ref-url\":\"{referrer}\",\"user-agent\":\"{agent}\"}}"
                )
            }
            Form::Columns => writeln!(
                out,
                "2026-08-22T{clock}+08:00,{a}.{b}.{c}.{d},{method},{url},HTTP/1.1,0.{latency:04},{payload},{status},\
                 {size},{referrer},\"{agent}\""
            ),
            Form::Apsara => writeln!(
                out,
                "[2026-08-22 {hour:02}:{minute:02}:{second:02}.{milli:03}000]\t[INFO]\t[{payload}]\t\
                 [src/server/access.cpp:{upstream}]\tip:{a}.{b}.{c}.{d}\tmethod:{method}\turl:{url}\tstatus:{status}\t\
                 size:{size}\treferrer:{referrer}\tagent:{agent}"
            ),
            Form::Stacks => self.append_stack(
                out,
                format_args!("2026-08-22 {clock} ERROR [worker-{upstream}] {method} {url} failed after 0.{latency:04} s"),
            ),
        };
        // Writing to a String cannot fail.
        let _ = written;
    }

    fn append_stack(&mut self, out: &mut String, first: std::fmt::Arguments<'_>) -> std::fmt::Result {
        writeln!(out, "{first}")?;
        for _ in 0..self.random.usize(1..=FRAMES_MAX) {
            let frame = self.random.choice(FRAMES).unwrap_or_default();
            writeln!(out, "{frame}{})", self.random.u16(..2_000))?;
        }
        Ok(())
    }
}

/// Writes at least so many bytes of `form`; returns the bytes and the lines, or records.
///
/// # Errors
/// As of the file.
pub fn generate(path: &Path, form: Form, bytes: u64) -> io::Result<(u64, u64)> {
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let mut lines = Lines::new(form, 0);
    let mut text = String::new();
    let mut written = 0;
    while written < bytes {
        text.clear();
        lines.append(&mut text);
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
    }
    out.flush()?;
    Ok((written, lines.number))
}
