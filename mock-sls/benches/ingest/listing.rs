//! Many projects with many Logstores, listed page by page.

use std::time::Instant;

use anyhow::{Result, ensure};
use sls_api::names::ProjectName;
use sls_api::ops::logstores::{CreateLogStore, ListLogStore, ListLogStoreQuery, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, ListProject, ListProjectQuery, NewProject};
use sls_api::{Json, NoPath, NoQuery};

use crate::server::{Caller, Server};

const PROJECTS: usize = 1_000;
const LOGSTORES: usize = 10;
/// Most entries of a page. Source: API reference.
const PAGE: i64 = 500;

pub async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path())?;
    let client = Caller::new(&server)?.client;
    let began = Instant::now();
    for project in 0..PROJECTS {
        let project: ProjectName = format!("project-{project:04}").parse()?;
        let new = Json(NewProject::new(project.clone(), ""));
        client.send::<CreateProject>(Some(&project), &NoPath {}, &NoQuery {}, &new).await?;
        for logstore in 0..LOGSTORES {
            let settings = Json(LogstoreSettings::new(format!("logstore-{logstore}").parse()?, 1, 2));
            client.send::<CreateLogStore>(Some(&project), &NoPath {}, &NoQuery {}, &settings).await?;
        }
    }
    println!(
        "figure: {PROJECTS} projects of {LOGSTORES} Logstores made in {:.1} s",
        began.elapsed().as_secs_f64()
    );

    let (began, mut slowest, mut pages) = (Instant::now(), 0.0_f64, 0);
    let mut projects = Vec::new();
    loop {
        let page = Instant::now();
        let query = ListProjectQuery {
            offset: Some(projects.len() as i64),
            size: Some(PAGE),
            ..ListProjectQuery::default()
        };
        let Json(listed) = client.send::<ListProject>(None, &NoPath {}, &query, &()).await?;
        (slowest, pages) = (slowest.max(page.elapsed().as_secs_f64()), pages + 1);
        let last = listed.projects.is_empty();
        projects.extend(listed.projects.into_iter().map(|project| project.project_name));
        if last {
            break;
        }
    }
    let mut logstores = 0;
    for project in &projects {
        let page = Instant::now();
        let query = ListLogStoreQuery { size: Some(PAGE), ..ListLogStoreQuery::default() };
        let Json(listed) = client.send::<ListLogStore>(Some(project), &NoPath {}, &query, &()).await?;
        (slowest, pages) = (slowest.max(page.elapsed().as_secs_f64()), pages + 1);
        logstores += listed.logstores.len();
    }
    ensure!(projects.len() == PROJECTS && logstores == PROJECTS * LOGSTORES, "not all are listed");
    println!(
        "figure: all of them listed in {pages} pages in {:.2} s, the slowest page {:.1} ms",
        began.elapsed().as_secs_f64(),
        slowest * 1e3
    );
    server.end()
}
