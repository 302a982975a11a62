//! Who may call, and what he is told when he may not.

use expect_test::expect;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use mock_sls::clock::Clock;
use mock_sls::{Account, Auth, Config, DEFAULT_ACCOUNT_ID, Key, Rights};
use sls_api::ops::logstores::{DeleteLogStore, GetLogStore};
use sls_api::ops::projects::{GetProject, ListProject, ListProjectQuery};
use sls_api::sign::{AccessKey, Secret, SignVersion};
use sls_api::{NoPath, NoQuery};
use sls_client::{Client, ClientConfig};

use super::bed::{Bed, client, default_key, logstore, shown};
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
        Account { uid: DEFAULT_ACCOUNT_ID.to_owned(), keys: vec![default_key().into()] },
        Account { uid: "42".to_owned(), keys: vec![other.clone().into()] },
    ];
    let bed = Bed::bare(Config { accounts, ..Config::default() }).await;
    bed.create_project().await;
    let other = client(&bed.server, other);
    let got = other.send::<GetProject>(Some(&bed.project), &NoPath {}, &NoQuery {}, &()).await;
    expect!["401 Unauthorized: The project does not belong to you."].assert_eq(&shown(got));
    expect!["ok 0"].assert_eq(&list(&other).await);
    expect!["ok 1"].assert_eq(&list(&bed.client).await);
}

/// A server with the default key and these.
async fn with_keys(keys: impl IntoIterator<Item = Key>) -> Bed {
    let keys = std::iter::once(default_key().into()).chain(keys).collect();
    let accounts = vec![Account { uid: DEFAULT_ACCOUNT_ID.to_owned(), keys }];
    let bed = Bed::bare(Config { accounts, ..Config::default() }).await;
    bed.create_project().await;
    bed
}

fn pair(id: &str) -> AccessKey {
    AccessKey::new(id, "secret")
}

#[tokio::test]
async fn a_key_that_may_only_read_is_denied_every_change_as_by_ram() {
    let bed = with_keys([Key { rights: Rights::ReadOnly, ..pair("reader").into() }]).await;
    bed.create_logstore("ls", 1).await;
    let reader = client(&bed.server, pair("reader"));
    expect!["ok 1"].assert_eq(&list(&reader).await);
    let denied = reader.send::<DeleteLogStore>(Some(&bed.project), &logstore("ls"), &NoQuery {}, &()).await;
    expect!["401 Unauthorized: denied by sts or ram, action: log:DeleteLogStore, resource: acs:log:cn-hangzhou:1234567890123456:project/proj-a/logstore/ls"]
        .assert_eq(&shown(denied));
    let read = reader.send::<GetLogStore>(Some(&bed.project), &logstore("ls"), &NoQuery {}, &()).await;
    assert!(read.is_ok());
}

#[tokio::test]
async fn a_disabled_key_is_told_so() {
    let bed = with_keys([Key { disabled: true, ..pair("old").into() }]).await;
    expect!["401 Unauthorized: AccessKeyId is disabled: old"]
        .assert_eq(&list(&client(&bed.server, pair("old"))).await);
}

#[tokio::test]
async fn a_temporary_key_needs_its_token_until_it_is_over() {
    let lasting = Key { token: Some(Secret::new("token-a")), ..pair("STS.lasting").into() };
    let over = Key { token: Some(Secret::new("token-b")), ..pair("STS.over").into() };
    let over = Key { expires: Some(Timestamp::UNIX_EPOCH), ..over };
    let bed = with_keys([lasting, over]).await;
    for (id, token, expected) in [
        ("STS.lasting", Some("token-a"), "ok 1"),
        ("STS.lasting", Some("token-b"), "401 Unauthorized: The security token you provided is invalid."),
        ("STS.lasting", None, "401 Unauthorized: AccessKeyId not found: STS.lasting"),
        ("STS.over", Some("token-b"), "401 Unauthorized: The security token you provided has expired."),
    ] {
        for sign in [SignVersion::V1, SignVersion::V4 { region: "cn-hangzhou".to_owned() }] {
            let endpoint = bed.server.endpoint().parse().unwrap();
            let config = ClientConfig {
                sign,
                security_token: token.map(Secret::new),
                ..ClientConfig::new(endpoint, pair(id))
            };
            assert_eq!(list(&Client::new(config).unwrap()).await, expected, "{id} {token:?}");
        }
    }
}

#[tokio::test]
async fn the_clock_window_is_15_minutes_or_as_configured() {
    for (window, off_minutes, accepted) in [
        (None, 14, true),
        (None, 16, false),
        (Some(60), 59, true),
        (Some(60), 61, false),
        (Some(1), 2, false),
    ] {
        for sign in [-1, 1] {
            let now = Timestamp::now() + SignedDuration::from_mins(sign * off_minutes);
            let mut config = Config { clock: Clock::manual(now), ..Config::default() };
            if let Some(minutes) = window {
                config.clock_window = SignedDuration::from_mins(minutes);
            }
            let got = list(&Bed::bare(config).await.client).await;
            assert_eq!(got == "ok 0", accepted, "{window:?} {sign} {off_minutes}: {got}");
            assert!(accepted || got.starts_with("400 RequestTimeExpired: Request time "), "{got}");
        }
    }
}
