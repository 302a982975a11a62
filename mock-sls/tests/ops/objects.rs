use mock_sls::{Auth, Config};

use super::bed::Bed;
use super::raw::{self, Answer};

async fn send(bed: &Bed, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = http::Request::builder()
        .method(method)
        .uri("/logstores/ls/objects/picture-1")
        .header("host", "proj-a.localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    raw::send(bed.server.addr(), request.body(body.to_vec()).unwrap()).await
}

#[tokio::test]
async fn an_object_comes_back_with_the_headers_of_its_writer() {
    let bed = Bed::bare(Config { auth: Auth::Off, ..Config::default() }).await;
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    let bytes = [0, 159, 146, 150];
    let headers = [("content-type", "image/png"), ("x-log-meta-author", "ann"), ("x-other", "no")];
    let put = send(&bed, "PUT", &headers, &bytes).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let got = send(&bed, "GET", &[], b"").await;
    assert_eq!((got.status.as_u16(), &got.body[..]), (200, &bytes[..]));
    assert_eq!((got.header("content-type"), got.header("x-log-meta-author")), ("image/png", "ann"));
    assert_eq!((got.header("etag"), got.header("x-other")), (put.header("etag"), ""));
    assert!(!got.header("etag").is_empty());

    let empty = send(&bed, "PUT", &[], b"").await;
    assert_eq!(empty.status, 200);
    let got = send(&bed, "GET", &[], b"").await;
    assert_eq!(
        (got.header("content-type"), got.header("x-log-meta-author")),
        ("application/octet-stream", "")
    );
    assert!(got.body.is_empty());
}
