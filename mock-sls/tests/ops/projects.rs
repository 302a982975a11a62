use expect_test::expect;
use mock_sls::Config;
use mock_sls::clock::Clock;
use sls_api::ops::logstores::GetLogStore;
use sls_api::ops::projects::{
    CreateProject, DeleteProject, GetProject, ListProject, ListProjectQuery, NewProject, ProjectChange,
    UpdateProject,
};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::{Bed, logstore, shown};
use super::raw;

#[tokio::test]
async fn a_new_project_is_described_with_every_field_that_sdks_need() {
    let clock = Clock::manual("2026-11-23T07:30:43Z".parse().unwrap());
    let config = Config { clock, auth: mock_sls::Auth::Off, ..Config::default() };
    let bed = Bed::bare(config).await;
    bed.create_project().await;
    let request = http::Request::get("/").header("host", "proj-a.localhost").body(Vec::new()).unwrap();
    let answer = raw::send(bed.server.addr(), request).await;
    expect![[r#"{"projectName":"proj-a","description":"test","status":"Normal","owner":"1234567890123456","region":"cn-hangzhou","location":"cn-hangzhou","createTime":"2026-11-23 07:30:43","lastModifyTime":"2026-11-23 07:30:43","resourceGroupId":"","dataRedundancyType":"LRS","recycleBinEnabled":false,"quota":{"logstore":200,"shard":400,"machineGroup":200,"config":200,"dashboard":100,"savedsearch":100,"alert":100}}"#]]
    .assert_eq(&answer.text());
}

#[tokio::test]
async fn a_project_that_is_not_there_is_named() {
    let bed = Bed::bare(Config::default()).await;
    let got = bed.shown::<GetProject>(&NoPath {}, &NoQuery {}, &()).await;
    expect!["404 ProjectNotExist: The Project does not exist: proj-a"].assert_eq(&got);
    let got = bed.shown::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await;
    expect!["404 ProjectNotExist: The Project does not exist: proj-a"].assert_eq(&got);
}

#[tokio::test]
async fn a_name_is_given_once() {
    let bed = Bed::start().await;
    let again = Json(NewProject::new(bed.project.clone(), "again"));
    let got = bed.shown::<CreateProject>(&NoPath {}, &NoQuery {}, &again).await;
    expect!["400 ProjectAlreadyExist: Project proj-a already exist"].assert_eq(&got);
}

#[tokio::test]
async fn a_project_is_created_on_the_bare_endpoint_too() {
    let bed = Bed::bare(Config::default()).await;
    let new = Json(NewProject::new("proj-b".parse().unwrap(), ""));
    bed.client.send::<CreateProject>(None, &NoPath {}, &NoQuery {}, &new).await.unwrap();
    let got =
        bed.client.send::<GetProject>(Some(&"proj-b".parse().unwrap()), &NoPath {}, &NoQuery {}, &()).await;
    assert_eq!(got.unwrap().0.project_name.as_str(), "proj-b");
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let bed = Bed::start().await;
    let change = |change| Json(change);
    let described = change(ProjectChange { description: Some("new".into()), ..Default::default() });
    bed.send::<UpdateProject>(&NoPath {}, &NoQuery {}, &described).await.unwrap();
    let recycled = change(ProjectChange { recycle_bin_enabled: Some(true), ..Default::default() });
    bed.send::<UpdateProject>(&NoPath {}, &NoQuery {}, &recycled).await.unwrap();
    let Json(got) = bed.send::<GetProject>(&NoPath {}, &NoQuery {}, &()).await.unwrap();
    assert_eq!((got.description.as_str(), got.recycle_bin_enabled), ("new", true));
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let bed = Bed::bare(Config::default()).await;
    for name in ["app-one", "app-two", "other"] {
        let new = Json(NewProject::new(name.parse().unwrap(), format!("about {name}")));
        bed.client.send::<CreateProject>(None, &NoPath {}, &NoQuery {}, &new).await.unwrap();
    }
    let list = async |query: ListProjectQuery| {
        let Json(list) = bed.client.send::<ListProject>(None, &NoPath {}, &query, &()).await.unwrap();
        let names: Vec<_> = list.projects.iter().map(|p| p.project_name.to_string()).collect();
        format!("{} of {}: {}", list.count, list.total, names.join(" "))
    };
    expect!["3 of 3: app-one app-two other"].assert_eq(&list(ListProjectQuery::default()).await);
    let part = ListProjectQuery { project_name: Some("app".into()), ..Default::default() };
    expect!["2 of 2: app-one app-two"].assert_eq(&list(part.clone()).await);
    let page = ListProjectQuery { offset: Some(1), size: Some(1), ..part };
    expect!["1 of 2: app-two"].assert_eq(&list(page).await);
    let about = ListProjectQuery { description: Some("ABOUT other".into()), ..Default::default() };
    expect!["1 of 1: other"].assert_eq(&list(about).await);
}

#[tokio::test]
async fn a_description_has_512_characters_at_most() {
    let bed = Bed::start().await;
    let update = async |text: String| {
        let change = Json(ProjectChange { description: Some(text), ..Default::default() });
        bed.shown::<UpdateProject>(&NoPath {}, &NoQuery {}, &change).await
    };
    assert_eq!(update("中".repeat(512)).await, "ok ()");
    let refused = update("a".repeat(513)).await;
    assert!(refused.starts_with("400 ParameterInvalid: Invalid project description: 'aaa"), "{refused}");
}

#[tokio::test]
async fn quotas_are_listed_on_request() {
    let bed = Bed::start().await;
    let shards = async |fetch_quota: Option<bool>| {
        let query = ListProjectQuery { fetch_quota, ..Default::default() };
        let Json(list) = bed.client.send::<ListProject>(None, &NoPath {}, &query, &()).await.unwrap();
        list.projects[0].quota.as_ref().map(|quota| quota["shard"].clone())
    };
    assert_eq!((shards(None).await, shards(Some(false)).await), (None, None));
    assert_eq!(shards(Some(true)).await, Some(400.into()));
}

#[tokio::test]
async fn deleting_a_project_takes_everything_in_it() {
    let bed = Bed::with_logstore().await;
    bed.send::<DeleteProject>(&NoPath {}, &NoQuery {}, &()).await.unwrap();
    let gone = bed.shown::<GetProject>(&NoPath {}, &NoQuery {}, &()).await;
    expect!["404 ProjectNotExist: The Project does not exist: proj-a"].assert_eq(&gone);
    bed.create_project().await;
    let empty = shown(bed.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await);
    expect!["404 LogStoreNotExist: logstore ls does not exist"].assert_eq(&empty);
}
