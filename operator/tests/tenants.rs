//! Several tenants and several accounts: who may use which project, and whose key is used.

mod support;

use mock_sls::{Account, MockSls};
use serde_json::json;
use sls_api::sign::AccessKey;
use support::program::Program;
use support::*;

#[tokio::test]
async fn a_tenant_cannot_use_anothers_project() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let allowed = format!("--allowed-projects={}=project-a*", bed.namespace());
    let _operator = Program::start(&bed, &[&allowed, "--allowed-projects=others=*"]).await;
    bed.apply_value(object("mine", |_| {})).await;
    bed.ready("mine").await;
    bed.apply_value(object("theirs", |object| object["spec"]["project"] = json!("project-b"))).await;
    let status = bed.not_ready("theirs", "InvalidSpec").await;
    let message = status.status.unwrap();
    assert!(message.contains(&format!("--allowed-projects {}=project-a*", bed.namespace())), "{message}");
    assert!(!message.contains("others"), "{message}");
    assert!(!bed.sls().has_project("project-b").await);
    bed.delete("theirs").await;
    bed.gone("theirs").await;
}

#[tokio::test]
async fn an_object_of_another_account_is_made_with_that_accounts_key_once_it_is_there() {
    const SECRET: &str = "secret-of-the-other-account";
    let other = Account { uid: "42".into(), keys: vec![AccessKey::new("other-id", SECRET).into()] };
    let config = mock_sls::Config::default();
    let accounts = config.accounts.iter().cloned().chain([other]).collect();
    let sls = MockSls::start(mock_sls::Config { accounts, ..config }).await.unwrap();
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let infos = |uid: &str| json!({uid: {"accessKeyID": "other-id", "accessKeySecret": SECRET}}).to_string();
    std::fs::write(file.path(), infos("7")).unwrap();
    let path = file.path().to_str().unwrap();
    let operator = Program::start(&bed, &["--account-infos-file", path, "--account-id=1"]).await;
    bed.apply_value(object("config", |object| {
        object["spec"]["uid"] = json!("42");
        object["spec"]["endpoint"] = json!(sls.endpoint());
    }))
    .await;
    let status = bed.not_ready("config", "CredentialsUnusable").await;
    assert!(status.status.unwrap().contains("no key of account 42"));
    std::fs::write(file.path(), infos("42")).unwrap();
    bed.ready("config").await;
    let key = AccessKey::new("other-id", SECRET);
    let client =
        sls_client::Client::new(sls_client::ClientConfig::new(sls.endpoint().parse().unwrap(), key)).unwrap();
    let project = "project-a".parse().unwrap();
    let path = sls_api::NoPath {};
    let found = client
        .send::<sls_api::ops::projects::GetProject>(Some(&project), &path, &sls_api::NoQuery {}, &())
        .await;
    assert!(found.is_ok(), "{found:?}");

    operator.signal(rustix::process::Signal::TERM);
    let (_, log) = operator.ended().await;
    let object = serde_json::to_string(&bed.get("config").await).unwrap();
    let events = serde_json::to_string(&bed.events("config").await).unwrap();
    for text in [log, object, events] {
        assert!(!text.contains(SECRET), "{text}");
    }
}
