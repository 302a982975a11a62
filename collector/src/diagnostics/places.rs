//! Where a project wants its diagnostic logs: its project logging says so, and is asked now and then.

use std::collections::HashMap;
use std::time::Duration;

use sls_api::names::{LogstoreName, ProjectName};
use sls_api::ops::documents::{GetLogging, Logging};
use sls_api::{NoPath, NoQuery};
use sls_client::{ClientError, Retry};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::LOGSTORE;
use super::post::REQUEST_TIME_MAX;
use crate::instance_config::DiagnosticLogs;
use crate::pipeline::Destination;
use crate::ship::Clients;

/// A kind of diagnostic logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Alarm,
    Profile,
    Status,
}

impl Topic {
    /// Of its logs, and of the type in project logging.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alarm => "logtail_alarm",
            Self::Profile => "logtail_profile",
            Self::Status => "logtail_status",
        }
    }
}

/// What is known of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It could not be asked yet.
    Unknown,
    /// It does not want the topic.
    Nowhere,
    At(Destination),
}

/// What project logging said, and when.
struct Answer {
    at: Instant,
    /// `None`: it could not be asked.
    logging: Option<Logging>,
    /// Logs of the project go this way.
    way: Destination,
}

/// See the module.
pub struct Places {
    mode: DiagnosticLogs,
    ask_again_after: Duration,
    answers: HashMap<ProjectName, Answer>,
}

impl Places {
    pub fn new(mode: DiagnosticLogs, ask_again_after: Duration) -> Self {
        Self { mode, ask_again_after, answers: HashMap::new() }
    }

    /// Asks the projects of these destinations of which nothing is known yet, or only what is old. What was known
    /// holds where asking fails.
    pub async fn ask(&mut self, destinations: &[Destination], clients: &dyn Clients) {
        self.answers.retain(|project, _| destinations.iter().any(|to| to.project == *project));
        for way in destinations {
            let before = self.answers.get(&way.project);
            let is_known = |before: &Answer| {
                before.logging.is_some() && before.way == *way && before.at.elapsed() < self.ask_again_after
            };
            if before.is_some_and(is_known) {
                continue;
            }
            let logging = match logging_of(way, clients).await {
                Ok(logging) => Some(logging),
                Err(reason) => {
                    debug!(project = %way.project, reason, "where diagnostic logs go is not known");
                    before.and_then(|before| before.logging.clone())
                }
            };
            self.answers
                .insert(way.project.clone(), Answer { at: Instant::now(), logging, way: way.clone() });
        }
    }

    /// Where `project` wants `topic`.
    pub fn of(&self, project: &ProjectName, topic: Topic) -> Asked {
        let Some(answer) = self.answers.get(project) else { return Asked::Unknown };
        match (&answer.logging, self.mode) {
            (Some(logging), _) if !logging.logging_project.is_empty() => {
                place_in(logging, topic, &answer.way)
            }
            (_, DiagnosticLogs::Always) => LOGSTORE
                .parse()
                .map_or(Asked::Nowhere, |logstore| Asked::At(Destination { logstore, ..answer.way.clone() })),
            (Some(_), _) => Asked::Nowhere,
            (None, _) => Asked::Unknown,
        }
    }
}

fn place_in(logging: &Logging, topic: Topic, way: &Destination) -> Asked {
    let mut details = logging.logging_details.iter();
    let Some(detail) = details.find(|detail| detail.kind == topic.name()) else { return Asked::Nowhere };
    let logstore = Some(detail.logstore.as_str()).filter(|name| !name.is_empty()).unwrap_or(LOGSTORE);
    let place: (Result<ProjectName, _>, Result<LogstoreName, _>) =
        (logging.logging_project.parse(), logstore.parse());
    match place {
        (Ok(project), Ok(logstore)) => Asked::At(Destination { project, logstore, ..way.clone() }),
        _ => Asked::Nowhere,
    }
}

/// No project logging is an empty one; so is one that this collector may not see.
async fn logging_of(way: &Destination, clients: &dyn Clients) -> Result<Logging, String> {
    let client = clients.client(way)?;
    let ask = client.send::<GetLogging>(Some(&way.project), &NoPath {}, &NoQuery {}, &());
    let answer = timeout(REQUEST_TIME_MAX, ask).await.map_err(|_| "no answer in time".to_owned())?;
    match answer {
        Ok(logging) => Ok(logging.0),
        Err(error) if is_for_good(&error) => Ok(Logging::default()),
        Err(error) => Err(error.to_string()),
    }
}

fn is_for_good(error: &ClientError) -> bool {
    matches!(error.class(), Retry::NotExist | Retry::Auth | Retry::Never)
}

#[cfg(test)]
mod tests {
    use sls_api::codec::Compression;
    use sls_api::ops::documents::LoggingDetail;

    use super::*;

    fn way() -> Destination {
        Destination {
            project: "of-configs".parse().expect("project"),
            logstore: "store".parse().expect("Logstore"),
            region: "cn-hangzhou".to_owned(),
            endpoint: Some("here:80".to_owned()),
            compression: Compression::Lz4,
        }
    }

    /// Where the alarms of a project go that answered this.
    fn alarms(mode: DiagnosticLogs, logging: Option<Logging>) -> String {
        let mut places = Places::new(mode, Duration::ZERO);
        let answer = Answer { at: Instant::now(), logging, way: way() };
        places.answers.insert(way().project, answer);
        match places.of(&way().project, Topic::Alarm) {
            Asked::At(place) => {
                assert_eq!((&place.endpoint, &place.region), (&way().endpoint, &way().region));
                format!("{}/{}", place.project, place.logstore)
            }
            other => format!("{other:?}"),
        }
    }

    fn logging(project: &str, kind: &str, logstore: &str) -> Option<Logging> {
        let detail = LoggingDetail { kind: kind.to_owned(), logstore: logstore.to_owned() };
        Some(Logging { logging_project: project.to_owned(), logging_details: vec![detail] })
    }

    #[test]
    fn project_logging_decides_and_what_it_does_not_name_goes_nowhere() {
        use DiagnosticLogs::{Always, Auto};
        for mode in [Auto, Always] {
            assert_eq!(alarms(mode, logging("logs", "logtail_alarm", "mine")), "logs/mine");
            assert_eq!(alarms(mode, logging("logs", "logtail_alarm", "")), "logs/internal-diagnostic_log");
            assert_eq!(alarms(mode, logging("logs", "logtail_status", "mine")), "Nowhere");
            assert_eq!(alarms(mode, logging("NO NAME", "logtail_alarm", "mine")), "Nowhere");
        }
    }

    #[test]
    fn without_project_logging_the_setting_decides() {
        use DiagnosticLogs::{Always, Auto};
        let none = || Some(Logging::default());
        assert_eq!(alarms(Auto, none()), "Nowhere");
        assert_eq!(alarms(Auto, None), "Unknown");
        assert_eq!(alarms(Always, none()), "of-configs/internal-diagnostic_log");
        assert_eq!(alarms(Always, None), "of-configs/internal-diagnostic_log");
        assert_eq!(Places::new(Always, Duration::ZERO).of(&way().project, Topic::Alarm), Asked::Unknown);
    }
}
