//! Who may come in, whose forms are taken, and what browsers are told to allow.

use std::net::{Ipv4Addr, SocketAddr};

use http::header::{ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, COOKIE, HOST, ORIGIN};
use http::{Method, StatusCode};
use mock_sls::{Config, ConsoleSettings, MockSls};
use sls_api::sign::Secret;

use super::bed::{Answer, Visitor, between, set_cookie, start, start_with};

const FORM_BYTES_MAX: usize = 8 * 1024 * 1024;

fn with_token(token: &str) -> ConsoleSettings {
    ConsoleSettings { token: Some(Secret::new(token.to_owned())), ..ConsoleSettings::default() }
}

#[tokio::test]
async fn without_a_token_only_names_of_this_machine_are_answered() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let asked_as = |name: String| visitor.asks(Method::GET, "/").with(HOST, &name).send();
    let port = visitor.address.port();
    for name in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
        "127.8.8.8".to_owned(),
    ] {
        assert_eq!(asked_as(name.clone()).await.status, StatusCode::OK, "{name}");
    }
    // What a page of another site asks with, whose name was made to point here.
    for name in
        ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", "[::2]", ""]
    {
        let refused = asked_as(name.to_owned()).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name}");
        refused.lacks(&[&visitor.csrf]);
        let asset = visitor.asks(Method::GET, "/assets/x/console.js").with(HOST, name).send().await;
        assert_eq!(asset.status, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn a_form_needs_the_word_of_this_run() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let path = "/testbed/journal/clear";
    let other = "0".repeat(visitor.csrf.len());
    for body in
        [String::new(), "csrf=".to_owned(), format!("csrf={other}"), format!("csrf={}x", visitor.csrf)]
    {
        let refused = visitor.raw_form(path, body.clone().into_bytes()).send().await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{body}");
        refused.has(&["the form was not made by this run of the emulator"]);
    }
    assert_eq!(visitor.post(path, &[]).await.status, StatusCode::SEE_OTHER);
    let by_script = visitor.raw_form(path, Vec::new()).with("x-csrf", &visitor.csrf).send().await;
    assert_eq!(by_script.status, StatusCode::SEE_OTHER);
    // The word in the address would be in histories and logs.
    let in_address = visitor.raw_form(&format!("{path}?csrf={}", visitor.csrf), Vec::new()).send().await;
    assert_eq!(in_address.status, StatusCode::FORBIDDEN);
    let next = start().await;
    let elsewhere = Visitor { csrf: visitor.csrf.clone(), ..Visitor::of(&next).await };
    assert_eq!(elsewhere.post(path, &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_form_that_says_it_comes_from_elsewhere_is_refused_even_with_the_word() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let form = || visitor.form("/testbed/journal/clear", &[]);
    let own = format!("http://{}", visitor.address);
    for (name, value, taken) in [
        ("origin", own.as_str(), true),
        ("origin", "http://evil.example", false),
        ("origin", "null", false),
        ("origin", "http://127.0.0.1:1", false),
        ("sec-fetch-site", "same-origin", true),
        ("sec-fetch-site", "none", true),
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
    ] {
        let status = form().with(name, value).send().await.status;
        let wanted = if taken { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(status, wanted, "{name}: {value}");
    }
    assert_eq!(
        form().with(ORIGIN, &own).with("sec-fetch-site", "cross-site").send().await.status,
        StatusCode::FORBIDDEN
    );
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let asked = visitor.asks(method.clone(), "/").with("origin", "http://evil.example").send().await;
        assert_eq!(asked.status, StatusCode::FORBIDDEN, "{method}");
    }
}

#[tokio::test]
async fn with_a_token_nothing_is_shown_without_it() {
    let server = start_with(with_token("open-sesame")).await;
    let visitor = Visitor::of(&server).await;
    for path in [
        "/",
        "/testbed/journal",
        "/projects/p",
        "/nowhere",
        "/?token=",
        "/?token=open-sesam",
        "/?token=open-sesame2",
    ] {
        let asked = visitor.get(path).await;
        assert_eq!(asked.status, StatusCode::UNAUTHORIZED, "{path}");
        asked.has(&["name=\"token\""]);
        asked.lacks(&["open-sesame\"", "nav class=\"menu\""]);
    }
    let form = visitor.post("/testbed/journal/clear", &[]).await;
    assert_eq!(form.status, StatusCode::UNAUTHORIZED);
    let script = visitor.asks(Method::GET, "/").with(ACCEPT, "application/json").send().await;
    assert_eq!(
        (script.status, &script.json()["errorCode"]),
        (StatusCode::UNAUTHORIZED, &"Unauthorized".into())
    );
    let wrong = visitor.asks(Method::GET, "/").with(COOKIE, &cookie(&visitor, "open-sesamE")).send().await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let right = visitor.asks(Method::GET, "/").with(COOKIE, &cookie(&visitor, "open-sesame")).send().await;
    assert_eq!(right.status, StatusCode::OK);
    // With a token it may be served under any name.
    let named = visitor
        .asks(Method::GET, "/")
        .with(HOST, "bed.example")
        .with(COOKIE, &cookie(&visitor, "open-sesame"));
    assert_eq!(named.send().await.status, StatusCode::OK);
}

fn cookie(visitor: &Visitor, token: &str) -> String {
    format!("other=1; console-token-{}={token}", visitor.address.port())
}

#[track_caller]
fn gives_the_token(answer: &Answer, visitor: &Visitor) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let cookie = set_cookie(answer, &format!("console-token-{}", visitor.address.port())).expect("a cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    format!("console-token-{}={}", visitor.address.port(), cookie.split(';').next().unwrap())
}

#[tokio::test]
async fn a_token_comes_in_by_address_or_by_form_and_stays_in_a_cookie() {
    let server = start_with(with_token("open-sesame")).await;
    let mut visitor = Visitor::of(&server).await;
    let by_address = visitor.get("/testbed/faults?token=open-sesame").await;
    assert_eq!(by_address.location(), "/testbed/faults", "the token leaves the address");
    let from_address = gives_the_token(&by_address, &visitor);
    let refused = visitor.post("/login", &[("token", "guess")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.has(&["That is not the token."]);
    let without_word = visitor.raw_form("/login", b"token=open-sesame".to_vec()).send().await;
    assert_eq!(without_word.status, StatusCode::FORBIDDEN);
    assert_eq!(set_cookie(&without_word, &format!("console-token-{}", visitor.address.port())), None);
    let by_form = visitor.post("/login", &[("token", "open-sesame")]).await;
    assert_eq!(gives_the_token(&by_form, &visitor), from_address);
    visitor.cookies = from_address;
    assert_eq!(visitor.get("/testbed/faults").await.status, StatusCode::OK);
}

#[tokio::test]
async fn beyond_loopback_a_token_is_made_up_and_is_in_the_url_only() {
    let everywhere = ConsoleSettings {
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        ..ConsoleSettings::default()
    };
    let server = start_with(everywhere).await;
    let token = between(server.console_url().unwrap(), "?token=", "\n").to_owned();
    assert!(token.len() >= 32, "{token}");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.console_addr().unwrap().port()));
    let visitor = Visitor { address, ..Visitor::of(&server).await };
    let closed = visitor.get("/").await;
    assert_eq!(closed.status, StatusCode::UNAUTHORIZED);
    closed.lacks(&[&token]);
    assert_eq!(visitor.get(&format!("/?token={token}")).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_kind_of_answer_has_the_policy() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let first = visitor.get("/").await;
    let asset = between(&first.body, "<script type=\"module\" src=\"", "\"").to_owned();
    let closed = start_with(with_token("t")).await;
    let stranger = Visitor::of(&closed).await;
    let answers = [
        ("page", first),
        ("asset", visitor.get(&asset).await),
        ("no asset", visitor.get("/assets/x/none.js").await),
        ("no page", visitor.get("/nowhere").await),
        ("other method", visitor.asks(Method::DELETE, "/").send().await),
        ("JSON", visitor.asks(Method::GET, "/nowhere").with(ACCEPT, "application/json").send().await),
        ("taken", visitor.post("/testbed/journal/clear", &[]).await),
        ("refused", visitor.post("/testbed/faults/json", &[("json", "{")]).await),
        ("foreign", visitor.form("/", &[]).with(ORIGIN, "http://evil.example").send().await),
        ("other name", visitor.asks(Method::GET, "/").with(HOST, "evil.example").send().await),
        ("token wanted", stranger.get("/").await),
    ];
    for (kind, answer) in answers {
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{kind}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{kind}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{kind}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{kind}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{kind}");
        let kept = answer.header(CACHE_CONTROL);
        assert_eq!(kept == "no-store", kind != "asset", "{kind}: {kept}");
        // What the policy would forbid anyway is not written either.
        answer.lacks(&["<script>", " style=\"", " onclick=", "javascript:"]);
    }
}

#[tokio::test]
async fn an_asset_is_kept_under_the_version_of_this_build_only() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let first = visitor.get("/").await;
    let path = between(&first.body, "<script type=\"module\" src=\"", "\"").to_owned();
    let asset = visitor.get(&path).await;
    assert_eq!(asset.header(CACHE_CONTROL), "public, max-age=31536000, immutable");
    assert_eq!(asset.header("content-type"), "text/javascript; charset=utf-8");
    let older = visitor.get("/assets/00000000/console.js").await;
    assert_eq!((older.header(CACHE_CONTROL), older.body == asset.body), ("no-store", true));
    for none in [
        "/assets/x/../console.rs",
        "/assets/x/%2e%2e%2fconsole.rs",
        "/assets/x/console.rs",
        "/assets/console.js",
    ] {
        assert_eq!(visitor.get(none).await.status, StatusCode::NOT_FOUND, "{none}");
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let form = |bytes: usize| {
        let mut body = format!("csrf={}&json=", visitor.csrf).into_bytes();
        body.resize(bytes, b'x');
        visitor.raw_form("/testbed/faults/json", body).send()
    };
    let large = form(FORM_BYTES_MAX + 1).await;
    assert_eq!(large.status, StatusCode::BAD_REQUEST);
    large.has(&["larger than 8388608 bytes"]);
    // One that is not is read, and refused for what is in it.
    form(FORM_BYTES_MAX).await.has(&["the body is not JSON"]);
}

#[tokio::test]
async fn language_and_colours_are_as_asked_for_until_a_cookie_says_otherwise() {
    let server = start().await;
    let mut visitor = Visitor::of(&server).await;
    let chinese = visitor.asks(Method::GET, "/").with(ACCEPT_LANGUAGE, "zh-CN,en;q=0.5").send().await;
    chinese.has(&["<html lang=\"zh-CN\" data-theme=\"system\">", "项目"]);
    let chosen =
        visitor.post("/preferences", &[("lang", "zh"), ("theme", "dark"), ("back", "/testbed/faults")]).await;
    assert_eq!((chosen.status, chosen.location()), (StatusCode::SEE_OTHER, "/testbed/faults"));
    let value = |name| set_cookie(&chosen, name).unwrap().split(';').next().unwrap().to_owned();
    visitor.cookies =
        format!("console-lang={}; console-theme={}", value("console-lang"), value("console-theme"));
    let page = visitor.asks(Method::GET, "/").with(ACCEPT_LANGUAGE, "en").send().await;
    page.has(&["<html lang=\"zh-CN\" data-theme=\"dark\">"]);
    visitor.cookies = "console-lang=xx; console-theme=\"><script>".to_owned();
    visitor.get("/").await.has(&["<html lang=\"en\" data-theme=\"system\">"]);
    for (name, value) in [("lang", "xx"), ("theme", "red")] {
        assert_eq!(
            visitor.post("/preferences", &[(name, value), ("back", "/")]).await.status,
            StatusCode::BAD_REQUEST
        );
    }
    for elsewhere in ["//evil.example", "http://evil.example", "/\\evil.example", ""] {
        let back = visitor.post("/preferences", &[("theme", "dark"), ("back", elsewhere)]).await;
        assert_eq!(back.location(), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn without_console_nothing_listens_for_one() {
    let server = MockSls::start(Config::default()).await.unwrap();
    assert_eq!((server.console_url(), server.console_addr()), (None, None));
}
