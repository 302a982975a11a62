//! The crate against a Docker engine that holds the image: `just testcontainers` runs this.

use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index, IndexLine};
use sls_api::ops::logs::{CompressedLogs, GetLogs, GetLogsRequest, PutLogs, Row};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::{AccessKey, SignVersion};
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig};
use testcontainers_mock_sls::testcontainers::ImageExt;
use testcontainers_mock_sls::testcontainers::bollard::query_parameters::InspectContainerOptions;
use testcontainers_mock_sls::testcontainers::core::client::docker_client_instance;
use testcontainers_mock_sls::{MockSls, REGION, Running, StartError, start};

/// How far around now a query looks, in seconds.
const WINDOW_SECONDS: i64 = 600;

fn client(sls: &Running, sign: SignVersion) -> Client {
    let key = AccessKey::new(sls.access_key_id(), sls.access_key_secret());
    let mut config = ClientConfig::new(sls.endpoint().parse().unwrap(), key);
    config.sign = sign;
    Client::new(config).unwrap()
}

/// Makes a Logstore with an index, writes one log and returns what a search for it finds.
async fn write_and_search(client: &Client, word: &str) -> Vec<Row> {
    let project: ProjectName = format!("project-{word}").parse().unwrap();
    let path = InLogstore { logstore: "app".parse().unwrap() };
    let in_project = Some(&project);
    let new = Json(NewProject::new(project.clone(), "test"));
    client.send::<CreateProject>(in_project, &NoPath {}, &NoQuery {}, &new).await.unwrap();
    let settings = Json(LogstoreSettings::new(path.logstore.clone(), 1, 2));
    client.send::<CreateLogStore>(in_project, &NoPath {}, &NoQuery {}, &settings).await.unwrap();
    let line = IndexLine { token: vec![" ".to_owned()], ..IndexLine::default() };
    let index = Json(Index { line: Some(line), ..Index::default() });
    client.send::<CreateIndex>(in_project, &path, &NoQuery {}, &index).await.unwrap();

    let now = jiff::Timestamp::now().as_second();
    let log = Log {
        time: u32::try_from(now).unwrap(),
        contents: vec![Content::new("content", format!("hello {word}"))],
        time_ns: None,
    };
    let group = LogGroup { logs: vec![log], ..LogGroup::default() };
    let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
    client.send::<PutLogs>(in_project, &path, &NoQuery {}, &body).await.unwrap();

    let request = GetLogsRequest {
        from: now - WINDOW_SECONDS,
        to: now + WINDOW_SECONDS,
        query: word.to_owned(),
        ..GetLogsRequest::default()
    };
    client.send::<GetLogs>(in_project, &path, &NoQuery {}, &Json(request)).await.unwrap().0.data
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_into_the_started_emulator_is_found_there() {
    let sls = start(MockSls::default()).await.unwrap();
    let rows = write_and_search(&client(&sls, SignVersion::V1), "default").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get("content"), Some("hello default"));
    let v4 = client(&sls, SignVersion::V4 { region: REGION.to_owned() });
    assert_eq!(write_and_search(&v4, "region").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_pair_of_ones_own_opens_it_and_the_default_one_does_not() {
    let sls = start(MockSls::default().with_access_key("mine", "mySecret")).await.unwrap();
    assert_eq!((sls.access_key_id(), sls.access_key_secret()), ("mine", "mySecret"));
    assert_eq!(write_and_search(&client(&sls, SignVersion::V1), "mine").await.len(), 1);

    let default = MockSls::default();
    let other = start(default).await.unwrap();
    let key = AccessKey::new(other.access_key_id(), other.access_key_secret());
    let stranger = Client::new(ClientConfig::new(sls.endpoint().parse().unwrap(), key)).unwrap();
    let project = "project-mine".parse().unwrap();
    let new = Json(NewProject::new("project-other".parse().unwrap(), "test"));
    let refused = stranger.send::<CreateProject>(Some(&project), &NoPath {}, &NoQuery {}, &new).await;
    assert!(refused.unwrap_err().to_string().contains("AccessKey"), "the default key must be refused");
}

#[tokio::test]
async fn the_container_is_gone_when_the_value_is_dropped() {
    let docker = docker_client_instance().await.unwrap();
    let sls = start(MockSls::default()).await.unwrap();
    let id = sls.container().id().to_owned();
    docker.inspect_container(&id, None::<InspectContainerOptions>).await.expect("it is there");
    drop(sls);
    let gone = docker.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap_err();
    assert!(gone.to_string().contains("No such container"), "{gone}");
}

#[tokio::test]
async fn an_image_that_docker_does_not_have_is_named_with_the_remedy() {
    // An unqualified name that no registry has; where none can be reached the answer is the same.
    let request = MockSls::default().with_name("sls-bed/no-such-image").with_tag("none");
    let error = start(request).await.unwrap_err();
    assert!(matches!(error, StartError::NoImage { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("image sls-bed/no-such-image:none is not in Docker"), "{text}");
    assert!(text.contains("just images"), "{text}");
}
