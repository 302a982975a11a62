//! Charts: the entries of the list `charts` in a dashboard, told apart by their title.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::Transaction;
use serde_json::Value;
use sls_api::Json;
use sls_api::error::code;
use sls_api::ops::documents::stored_as::DASHBOARD;
use sls_api::ops::parts::{
    CreateChart, DeleteChart, GetChart, InDocumentPart, Object, UpdateChart, UpdateChartByTitle,
};

use crate::error::ApiError;
use crate::ops::documents::{same_name, stored};
use crate::route::{Call, Context, Operations};
use crate::store::documents::{self, Owner};
use crate::store::projects::ProjectId;

/// Charts of a dashboard. Source: JavaSDK DashboardTest (100 in the limits document).
const CHARTS_MAX: usize = 200;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op(create).op(get).op(update).op(update_by_title).op(delete)
}

/// Whether a dashboard may have these charts. Source of codes and texts: JavaSDK DashboardTest.
pub(in crate::ops) fn check_all(charts: &[Value]) -> Result<(), ApiError> {
    if charts.len() > CHARTS_MAX {
        let message = "You have too many charts in your dashboard".to_owned();
        return Err(ApiError::Refused { status: 400, code: code::EXCEED_QUOTA, message });
    }
    let mut titles = HashSet::new();
    match charts.iter().map(title).find(|title| !titles.insert(*title)) {
        Some(twice) => Err(ApiError::PostBodyInvalid(format!("Duplicate chart title: {twice}"))),
        None => Ok(()),
    }
}

fn title(chart: &Value) -> &str {
    chart.get("title").and_then(Value::as_str).unwrap_or_default()
}

/// The title by which a new chart, or one that replaces another, is told apart.
fn given_title(chart: &Object) -> Result<String, ApiError> {
    match chart.get("title").and_then(Value::as_str) {
        None | Some("") => {
            Err(ApiError::ParameterInvalid("chart: the field title is missing or not a text".to_owned()))
        }
        Some(title) => Ok(title.to_owned()),
    }
}

fn not_there() -> ApiError {
    let message = "specified chart does not exist".to_owned();
    ApiError::Refused { status: 404, code: "ChartNotExist", message }
}

/// Changes the charts of a dashboard.
fn change(
    tx: &Transaction<'_>,
    project: ProjectId,
    dashboard: &str,
    now: Timestamp,
    f: impl FnOnce(&mut Vec<Value>) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let mut dashboard = stored(tx, &Owner::Project(project), DASHBOARD, dashboard)?;
    let charts = dashboard.body.entry("charts").or_insert(Value::Null);
    // The Go SDK sends null for an empty list.
    if charts.is_null() {
        *charts = Value::Array(Vec::new());
    }
    let Value::Array(charts) = charts else {
        return Err(ApiError::ParameterInvalid("dashboard: the field charts is not a list".to_owned()));
    };
    f(charts)?;
    documents::replace(tx, dashboard.id, &dashboard.body, now)
}

async fn create(call: Call<CreateChart>) -> Result<(), ApiError> {
    let (path, now) = (call.path, call.context.now);
    given_title(&call.body.0)?;
    let chart = Value::Object(call.body.0);
    call.context
        .write(move |tx, project| {
            change(tx, project, &path.name, now, |charts| {
                if charts.iter().any(|other| title(other) == title(&chart)) {
                    return Err(ApiError::ParameterInvalid("specified chart already exists".to_owned()));
                }
                charts.push(chart);
                check_all(charts)
            })
        })
        .await
}

async fn get(call: Call<GetChart>) -> Result<Json<Object>, ApiError> {
    let path = call.path;
    call.context
        .read(move |db, project| {
            let dashboard = stored(db, &Owner::Project(project), DASHBOARD, &path.name)?;
            let charts = dashboard.body.get("charts").and_then(Value::as_array);
            let chart = charts.and_then(|charts| charts.iter().find(|chart| title(chart) == path.part));
            chart.and_then(Value::as_object).cloned().map(Json).ok_or_else(not_there)
        })
        .await
}

async fn update(call: Call<UpdateChart>) -> Result<(), ApiError> {
    let path = InDocumentPart { name: call.path.name, part: given_title(&call.body.0)? };
    replace(call.context, path, call.body.0).await
}

async fn update_by_title(call: Call<UpdateChartByTitle>) -> Result<(), ApiError> {
    replace(call.context, call.path, call.body.0).await
}

/// A body may leave its title to the path, but not contradict it.
async fn replace(context: Context, path: InDocumentPart, mut chart: Object) -> Result<(), ApiError> {
    let now = context.now;
    same_name(&chart, "title", &path.part)?;
    chart.insert("title".to_owned(), path.part.clone().into());
    context
        .write(move |tx, project| {
            change(tx, project, &path.name, now, |charts| {
                let found = charts.iter_mut().find(|other| title(other) == path.part);
                *found.ok_or_else(not_there)? = Value::Object(chart);
                Ok(())
            })
        })
        .await
}

async fn delete(call: Call<DeleteChart>) -> Result<(), ApiError> {
    let (path, now) = (call.path, call.context.now);
    call.context
        .write(move |tx, project| {
            change(tx, project, &path.name, now, |charts| {
                let at = charts.iter().position(|chart| title(chart) == path.part).ok_or_else(not_there)?;
                charts.remove(at);
                Ok(())
            })
        })
        .await
}
