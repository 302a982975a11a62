//! The project and the Logstore that the path of a page names, their addresses and their pages.

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;
use sls_api::names::{LogstoreName, ProjectName};

use super::page::Link;
use super::problem::Problem;
use super::visit::Visit;

/// A project.
#[derive(Debug, Clone, serde::Deserialize)]
pub(super) struct InProject {
    /// Its name.
    pub project: ProjectName,
}

impl InProject {
    /// Where the project is.
    pub fn path(&self) -> String {
        format!("/projects/{}", self.project)
    }

    /// Links that lead to its pages.
    pub fn place(&self, visit: &Visit) -> Vec<Link> {
        vec![Link::new("/", visit.t("Projects", "项目"))]
    }

    /// Its pages.
    pub fn tabs(&self, visit: &Visit) -> Vec<Link> {
        let path = self.path();
        vec![
            Link::new(path.clone(), visit.t("Logstores", "日志库")),
            Link::new(format!("{path}/machine-groups"), visit.t("Machine groups", "机器组")),
            Link::new(format!("{path}/configs"), visit.t("Collection configs", "采集配置")),
        ]
    }
}

/// A Logstore.
#[derive(Debug, Clone, serde::Deserialize)]
pub(super) struct InLogstore {
    /// Name of its project.
    pub project: ProjectName,
    /// Its name.
    pub logstore: LogstoreName,
}

impl InLogstore {
    /// Where the Logstore, its query page, is.
    pub fn path(&self) -> String {
        format!("/projects/{}/logstores/{}", self.project, self.logstore)
    }

    /// Its name in the path of an operation.
    pub fn named(&self) -> sls_api::ops::InLogstore {
        sls_api::ops::InLogstore { logstore: self.logstore.clone() }
    }

    /// Links that lead to its pages.
    pub fn place(&self, visit: &Visit) -> Vec<Link> {
        let project = InProject { project: self.project.clone() };
        let mut links = project.place(visit);
        links.push(Link::new(project.path(), self.project.as_str()));
        links
    }

    /// Its pages.
    pub fn tabs(&self, visit: &Visit) -> Vec<Link> {
        let path = self.path();
        vec![
            Link::new(path.clone(), visit.t("Logs", "日志")),
            Link::new(format!("{path}/index"), visit.t("Index", "索引")),
            Link::new(format!("{path}/shards"), visit.t("Shards", "分区")),
            Link::new(format!("{path}/consumer-groups"), visit.t("Consumer groups", "消费组")),
            Link::new(format!("{path}/settings"), visit.t("Settings", "设置")),
        ]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InProject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        At::from_request_parts(parts, state).await.map(|At(place)| place)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InLogstore {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        At::from_request_parts(parts, state).await.map(|At(place)| place)
    }
}

/// Names in the path of a page; a name that nothing can have is a page that does not exist.
pub(super) struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let names = Path::<T>::from_request_parts(parts, state).await;
        names.map(|Path(names)| Self(names)).map_err(|error| Problem::missing(error.body_text()))
    }
}

/// Parameters of a page.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = Query::<T>::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|error| Problem::bad(error.body_text()))
    }
}
