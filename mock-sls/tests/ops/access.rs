//! Who may call, and what he is told when he may not.

use expect_test::expect;
use http::Request;
use mock_sls::clock::Clock;
use mock_sls::{Account, Auth, Config, DEFAULT_ACCOUNT_ID};
use sls_api::ops::projects::{GetProject, ListProject, ListProjectQuery};
use sls_api::sign::{AccessKey, SignVersion};
use sls_api::{NoPath, NoQuery};
use sls_client::{Client, ClientConfig};

use super::bed::{Bed, client, default_key, shown};
use super::raw;

async fn list(client: &Client) -> String {
    let listed = client.send::<ListProject>(None, &NoPath {}, &ListProjectQuery::default(), &()).await;
    shown(listed.map(|list| list.0.total))
}

fn signing(bed: &Bed, sign: SignVersion) -> Client {
    let endpoint = bed.server.endpoint().parse().unwrap();
    Client::new(ClientConfig { sign, ..ClientConfig::new(endpoint, default_key()) }).unwrap()
}

#[tokio::test]
async fn both_signature_versions_are_accepted() {
    let bed = Bed::start().await;
    let region = "cn-hangzhou".to_owned();
    for sign in [SignVersion::V1, SignVersion::V4 { region }] {
        expect!["ok 1"].assert_eq(&list(&signing(&bed, sign)).await);
    }
}

#[tokio::test]
async fn a_foreign_region_is_refused_when_strict_and_accepted_when_lenient() {
    let elsewhere = || SignVersion::V4 { region: "us-west-1".to_owned() };
    let strict = Bed::start().await;
    expect!["401 SignatureNotMatch: The signature is for region us-west-1, but this is cn-hangzhou."]
        .assert_eq(&list(&signing(&strict, elsewhere())).await);
    let lenient = Bed::bare(Config { auth: Auth::Lenient, ..Config::default() }).await;
    expect!["ok 0"].assert_eq(&list(&signing(&lenient, elsewhere())).await);
}

#[tokio::test]
async fn unknown_keys_and_wrong_secrets_are_told_apart() {
    let bed = Bed::start().await;
    let unknown = client(&bed.server, AccessKey::new("nobody", "x"));
    expect!["401 Unauthorized: AccessKeyId not found: nobody"].assert_eq(&list(&unknown).await);
    let wrong = client(&bed.server, AccessKey::new(default_key().id, "x"));
    let got = list(&wrong).await;
    assert!(got.starts_with("401 SignatureNotMatch: Signature ") && got.ends_with(" not matched."), "{got}");
}

#[tokio::test]
async fn an_unsigned_request_is_refused_unless_nothing_is_checked() {
    let request = || Request::get("/").header("host", "127.0.0.1").body(Vec::new()).unwrap();
    let strict = Bed::start().await;
    let answer = raw::send(strict.server.addr(), request()).await;
    assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (401, "Unauthorized"));
    let off = Bed::bare(Config { auth: Auth::Off, ..Config::default() }).await;
    assert_eq!(raw::send(off.server.addr(), request()).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_the_time_of_the_server() {
    let clock = Clock::manual("2020-01-01T00:00:00Z".parse().unwrap());
    let bed = Bed::bare(Config { clock, ..Config::default() }).await;
    let refused = bed
        .client
        .send::<ListProject>(None, &NoPath {}, &ListProjectQuery::default(), &())
        .await
        .unwrap_err();
    let expected = sls_client::Retry::ClockSkew { server_time: Some(1_577_836_800) };
    assert_eq!(refused.class(), expected);
    bed.client.correct_clock(1_577_836_800);
    expect!["ok 0"].assert_eq(&list(&bed.client).await);
}

#[tokio::test]
async fn a_project_belongs_to_the_account_that_made_it() {
    let other = AccessKey::new("other", "secret");
    let accounts = vec![
        Account { uid: DEFAULT_ACCOUNT_ID.to_owned(), keys: vec![default_key()] },
        Account { uid: "42".to_owned(), keys: vec![other.clone()] },
    ];
    let bed = Bed::bare(Config { accounts, ..Config::default() }).await;
    bed.create_project().await;
    let other = client(&bed.server, other);
    let got = other.send::<GetProject>(Some(&bed.project), &NoPath {}, &NoQuery {}, &()).await;
    expect!["401 Unauthorized: The project does not belong to you."].assert_eq(&shown(got));
    expect!["ok 0"].assert_eq(&list(&other).await);
    expect!["ok 1"].assert_eq(&list(&bed.client).await);
}
