//! Projects, Logstores and indexes, from creation to removal.

use aliyun_log_rust_sdk::Client;

use crate::emulator::{KEY_ID, KEY_SECRET};
use crate::{client_with, code, index, STORE};

pub async fn a_project_is_made_listed_and_changed(client: &Client, project: &str) {
    client.create_project(project).description("made by the Rust SDK").send().await.unwrap();
    client.update_project(project).description("changed").send().await.unwrap();
    let got = client.get_project(project).send().await.unwrap();
    let got = got.get_body();
    assert_eq!((got.project_name().as_str(), got.description().as_str()), (project, "changed"));
    assert_eq!((got.status().as_str(), got.data_redundancy_type().as_str()), ("Normal", "LRS"));
    let listed = client.list_projects(0, 10).project_name(project).send().await.unwrap();
    let [only] = &listed.get_body().projects()[..] else { panic!("one project") };
    assert_eq!((only.project_name().as_str(), *listed.get_body().total()), (project, 1));
}

pub async fn a_logstore_keeps_its_settings(client: &Client, project: &str) {
    let create = client.create_logstore(project, STORE).shard_count(2).ttl(1);
    create.enable_tracking(true).append_meta(true).send().await.unwrap();
    client.update_logstore(project, STORE).ttl(7).enable_tracking(false).send().await.unwrap();
    let got = client.get_logstore(project, STORE).send().await.unwrap();
    let got = got.get_body();
    assert_eq!((*got.ttl(), *got.shard_count(), *got.enable_tracking()), (7, 2, false));
    assert_eq!((got.telemetry_type().as_str(), got.mode().as_str()), ("None", "standard"));
    let listed = client.list_logstores(project, 0, 10).logstore_name("acc").send().await.unwrap();
    assert_eq!(
        (listed.get_body().logstores().as_slice(), *listed.get_body().total()),
        ([STORE.to_owned()].as_slice(), 1)
    );
}

pub async fn an_index_is_changed_and_removed(client: &Client, project: &str) {
    assert_eq!(code(client.get_index(project, STORE).send().await), "IndexConfigNotExist");
    client.create_index(project, STORE, index("first")).send().await.unwrap();
    assert_eq!(code(client.create_index(project, STORE, index("first")).send().await), "IndexAlreadyExist");
    client.update_index(project, STORE, index("second")).send().await.unwrap();
    let got = client.get_index(project, STORE).send().await.unwrap();
    let got = serde_json::to_string(got.get_body()).unwrap();
    assert!(got.contains("second") && !got.contains("first"), "{got}");
    client.delete_index(project, STORE).send().await.unwrap();
    assert_eq!(code(client.get_index(project, STORE).send().await), "IndexConfigNotExist");
}

pub async fn errors_have_the_codes_of_the_service(client: &Client, project: &str) {
    let wrong = client_with(KEY_ID, "wrong");
    let nobody = client_with("nobody", KEY_SECRET);
    assert_eq!(code(client.get_logstore(project, "missing").send().await), "LogStoreNotExist");
    assert_eq!(code(client.get_project("missing-project").send().await), "ProjectNotExist");
    let again = client.create_project(project).description("again").send().await;
    assert_eq!(code(again), "ProjectAlreadyExist");
    let again = client.create_logstore(project, STORE).shard_count(1).ttl(1).send().await;
    assert_eq!(code(again), "LogStoreAlreadyExist");
    assert_eq!(code(wrong.get_logstore(project, STORE).send().await), "SignatureNotMatch");
    assert_eq!(code(nobody.get_logstore(project, STORE).send().await), "Unauthorized");
    let query = client.get_logs(project, STORE).from(0).to(1).query("*").send().await;
    assert_eq!(code(query), "IndexConfigNotExist");
}

pub async fn everything_is_removed(client: &Client, project: &str) {
    client.delete_logstore(project, STORE).send().await.unwrap();
    assert_eq!(code(client.get_logstore(project, STORE).send().await), "LogStoreNotExist");
    client.delete_project(project).send().await.unwrap();
    assert_eq!(code(client.get_project(project).send().await), "ProjectNotExist");
}
