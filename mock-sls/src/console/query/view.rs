//! What of a Logstore is shown, and how: everything is in the address of the page, so that a link shows the same
//! again.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jiff::tz::TimeZone;
use sls_api::ops::logs::GetLogsRequest;

use super::range::Range;
use crate::console::place::{Asked, InLogstore};
use crate::console::problem::Problem;
use crate::query::sql::zone_named;
use crate::query::statement;

/// Longest query, bytes: an address must be taken by browsers and proxies too. Own choice.
const QUERY_BYTES_MAX: usize = 16 * 1024;
/// Logs on a page, to choose from; the first unless another is chosen.
pub const SIZES: [u64; 3] = [20, 50, 100];
/// Columns that can be chosen. Own choice: an address must stay one.
pub const COLUMNS_MAX: usize = 50;

/// How logs are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// One below the other, each to be opened.
    #[default]
    Raw,
    /// As a table with columns.
    Table,
    /// As they come.
    Tail,
}

impl Shape {
    /// Name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Table => "table",
            Self::Tail => "tail",
        }
    }
}

/// What is shown and how.
#[derive(Debug, Clone)]
pub struct View {
    /// The query.
    pub query: String,
    /// Which time.
    pub range: Range,
    /// Newest logs first.
    pub newest_first: bool,
    /// Logs before this page.
    pub offset: u64,
    /// Logs on a page.
    pub size: u64,
    /// How logs are shown.
    pub shape: Shape,
    /// Columns of the table; none for those that the logs have.
    pub columns: Vec<String>,
    /// Name of the browser's zone.
    pub zone_name: String,
    /// Fields of the address that only scripts read: which chart of rows is drawn, and of what.
    pub others: Vec<(String, String)>,
}

/// Fields of the address that scripts write and read.
const SCRIPT_FIELDS: [&str; 2] = ["chart", "x"];

impl View {
    /// From the fields of an address or a form.
    pub fn of(fields: &[(String, String)]) -> Result<Self, Problem> {
        let field =
            |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
        let zone_name = field("zone").to_owned();
        let zone = zone(&zone_name)?;
        let range = match field("zoom") {
            "" => Range::named(field("range"), (field("from"), field("to")), &zone)?,
            zoom => Range::zoomed(zoom)?,
        };
        let query = field("q").to_owned();
        if query.len() > QUERY_BYTES_MAX {
            return Err(Problem::bad(format!(
                "q: a query of the console has at most {QUERY_BYTES_MAX} bytes"
            )));
        }
        let number = |name: &str, other: u64| match field(name) {
            "" => Ok(other),
            text => {
                text.parse().map_err(|_| Problem::bad(format!("{name}: {text:?} is no number that fits")))
            }
        };
        let size = number("size", SIZES[0])?;
        if !SIZES.contains(&size) {
            return Err(Problem::bad(format!("size: {size} is none of {SIZES:?}")));
        }
        let columns: Vec<String> = all(fields, "col").take(COLUMNS_MAX + 1).collect();
        if columns.len() > COLUMNS_MAX {
            return Err(Problem::bad(format!("col: at most {COLUMNS_MAX} columns can be chosen")));
        }
        let others = SCRIPT_FIELDS.iter().map(|name| ((*name).to_owned(), field(name).to_owned()));
        Ok(Self {
            query,
            range,
            newest_first: one_of("order", field("order"), &[("", true), ("desc", true), ("asc", false)])?,
            offset: number("offset", 0)?,
            size,
            shape: one_of(
                "view",
                field("view"),
                &[("", Shape::Raw), ("raw", Shape::Raw), ("table", Shape::Table), ("tail", Shape::Tail)],
            )?,
            columns,
            zone_name,
            others: others.filter(|(_, value)| !value.is_empty()).collect(),
        })
    }

    /// The fields of the address that leads here; those that are as always are left out.
    pub fn fields(&self) -> Vec<(&str, String)> {
        let mut fields = vec![("q", self.query.clone())];
        fields.retain(|(_, query)| !query.is_empty());
        if self.range != Range::default() {
            fields.push(("range", self.range.name().to_owned()));
        }
        if let Range::Fixed(from, to) = self.range {
            fields.extend([("from", from.to_string()), ("to", to.to_string())]);
        }
        if !self.newest_first {
            fields.push(("order", "asc".to_owned()));
        }
        if self.offset > 0 {
            fields.push(("offset", self.offset.to_string()));
        }
        if self.size != SIZES[0] {
            fields.push(("size", self.size.to_string()));
        }
        if self.shape != Shape::default() {
            fields.push(("view", self.shape.name().to_owned()));
        }
        fields.extend(self.columns.iter().map(|column| ("col", column.clone())));
        if !self.zone_name.is_empty() {
            fields.push(("zone", self.zone_name.clone()));
        }
        fields.extend(self.others.iter().map(|(name, value)| (name.as_str(), value.clone())));
        fields
    }

    /// The address of this view of the Logstore, or of another page about the same logs (`/export`).
    pub fn link(&self, at: &InLogstore, page: &str) -> String {
        let fields = serde_urlencoded::to_string(self.fields()).unwrap_or_default();
        let mark = if fields.is_empty() { "" } else { "?" };
        format!("{}{page}{mark}{fields}", at.path())
    }

    /// The zone that times of day are meant in.
    pub fn zone(&self) -> TimeZone {
        zone(&self.zone_name).unwrap_or(TimeZone::UTC)
    }

    /// The search, without what follows the pipe: what histograms count.
    pub fn search(&self) -> &str {
        statement::search(&self.query).trim()
    }

    /// The request for a page of logs in this time.
    pub fn request(&self, (from, to): (i64, i64), query: String) -> GetLogsRequest {
        GetLogsRequest {
            from,
            to,
            query,
            line: i64::try_from(self.size).ok(),
            offset: i64::try_from(self.offset).ok(),
            reverse: Some(self.newest_first),
            ..GetLogsRequest::default()
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for View {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Asked(fields) = Asked::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        Self::of(&fields)
    }
}

/// The values of all fields of this name that have any.
fn all<'f>(fields: &'f [(String, String)], name: &'f str) -> impl Iterator<Item = String> + 'f {
    fields.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone())
}

fn one_of<T: Copy>(name: &str, text: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
    let found = choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known: Vec<&str> =
            choices.iter().map(|(choice, _)| *choice).filter(|choice| !choice.is_empty()).collect();
        Problem::bad(format!("{name}: {text:?} is none of {}", known.join(", ")))
    })
}

/// The zone of this name, UTC for none.
fn zone(name: &str) -> Result<TimeZone, Problem> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        name => zone_named(name).ok_or_else(|| Problem::bad(format!("zone: {name:?} is no time zone"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(fields: &str) -> Result<View, Problem> {
        View::of(&serde_urlencoded::from_str::<Vec<(String, String)>>(fields).unwrap())
    }

    #[test]
    fn a_link_leads_to_the_same_view() {
        for fields in [
            "",
            "q=a+%7C+select+1&range=1d&order=asc&offset=40&size=50&view=table&col=a&col=b%2Cc",
            "range=fixed&from=5&to=9&view=tail&zone=Asia%2FShanghai&chart=pie&x=a",
        ] {
            let link = serde_urlencoded::to_string(view(fields).unwrap().fields()).unwrap();
            assert_eq!(link, fields);
        }
        assert_eq!(view("zoom=5-9&range=1d").unwrap().range, Range::Fixed(5, 9));
    }

    #[test]
    fn what_cannot_be_says_why() {
        let wrong = |fields: &str| view(fields).unwrap_err().message;
        assert!(wrong("size=1000").contains("none of [20, 50, 100]"));
        assert!(wrong("view=x").contains("none of raw, table, tail"));
        assert!(wrong("zone=Mars").contains("no time zone"));
        assert!(wrong("offset=-1").contains("offset"));
        assert!(wrong(&"col=a&".repeat(51)).contains("at most 50"));
        assert!(wrong(&format!("q={}", "x".repeat(QUERY_BYTES_MAX + 1))).contains("bytes"));
    }

    #[test]
    fn a_histogram_counts_the_search() {
        assert_eq!(view("q=+a:%22|%22+|+select+1").unwrap().search(), "a:\"|\"");
    }
}
