//! Logs shown as they come.

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::bed::{Bed, LOGSTORE, PROJECT};

#[tokio::test]
async fn found_logs_come_line_by_line_as_they_are_written() {
    let bed = Bed::start().await;
    bed.put(&["500 /before"]).await;
    let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let url = format!(
        "{}/_mock/v1/tail?project={PROJECT}&logstore={LOGSTORE}&query=status:500",
        bed.server.endpoint()
    );
    let mut answer = client.get(url.parse().unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    for url in ["/a", "/b"] {
        bed.put(&["200 /other", &format!("500 {url}")]).await;
        let frame = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        let log: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(log["url"], url);
    }
}

#[tokio::test]
async fn every_log_comes_once_however_many_there_are_and_whatever_becomes_of_the_index() {
    let bed = Bed::start().await;
    const GROUPS: usize = 6;
    const LOGS: usize = 4_000;
    for _ in 0..GROUPS {
        bed.put(&["500 /a"; LOGS]).await;
    }
    let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let url =
        format!("{}/_mock/v1/tail?project={PROJECT}&logstore={LOGSTORE}&all=true", bed.server.endpoint());
    let mut answer = client.get(url.parse().unwrap()).await.unwrap();
    let mut lines = Vec::new();
    let mut read = async |count: usize| {
        while lines.iter().filter(|byte| **byte == b'\n').count() < count {
            lines.extend(answer.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), count);
        lines.clone()
    };
    read(GROUPS * LOGS).await;
    bed.update_index().await;
    bed.put(&["500 /last"]).await;
    let lines = read(GROUPS * LOGS + 1).await;
    assert!(String::from_utf8(lines).unwrap().trim_end().lines().last().unwrap().contains("/last"));
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused_instead_of_silent() {
    let bed = Bed::empty().await;
    let target = format!("/_mock/v1/tail?project={PROJECT}&logstore={LOGSTORE}");
    let (status, answer) = bed.get(&target).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("logstore access does not exist"), "{answer}");
    bed.create_logstore().await;
    let (status, answer) = bed.get(&target).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("without index"), "{answer}");
}

#[tokio::test]
async fn the_answer_breaks_off_when_nothing_can_be_found_any_more() {
    let bed = Bed::start().await;
    let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let url = format!("{}/_mock/v1/tail?project={PROJECT}&logstore={LOGSTORE}", bed.server.endpoint());
    let mut answer = client.get(url.parse().unwrap()).await.unwrap();
    bed.server.reset_project(&PROJECT.parse().unwrap()).await.unwrap();
    assert!(answer.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_pipeline_cannot_be_followed() {
    let bed = Bed::start().await;
    let target = format!("/_mock/v1/tail?project={PROJECT}&logstore={LOGSTORE}&query=*%7Cselect+1");
    let (status, answer) = bed.get(&target).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("no SQL"), "{answer}");
}
