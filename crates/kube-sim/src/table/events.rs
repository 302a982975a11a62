//! The columns of events.

use jiff::Timestamp;
use serde_json::Value;

use super::builtin::{field, text, wide};
use super::{Column, age};
use crate::meta;

/// Events start with the time, not with the name. They are in core form here.
pub fn columns() -> Vec<Column> {
    vec![
        text("Last Seen", |o, now| {
            event_age(
                o,
                &["series.lastObservedTime", "lastTimestamp", "eventTime", "metadata.creationTimestamp"],
                now,
            )
        }),
        text("Type", |o, _| field(o, &["type"])),
        text("Reason", |o, _| field(o, &["reason"])),
        text("Object", |o, _| {
            let kind = meta::str_at(o, &["involvedObject", "kind"]).to_lowercase();
            format!("{kind}/{}", meta::str_at(o, &["involvedObject", "name"])).into()
        }),
        wide("Subobject", |o, _| meta::str_at(o, &["involvedObject", "fieldPath"]).into()),
        wide("Source", |o, _| {
            let old = meta::str_at(o, &["source", "component"]);
            if old.is_empty() { meta::str_at(o, &["reportingComponent"]).into() } else { old.into() }
        }),
        text("Message", |o, _| meta::str_at(o, &["message"]).trim().into()),
        wide("First Seen", |o, now| {
            event_age(o, &["firstTimestamp", "eventTime", "metadata.creationTimestamp"], now)
        }),
        wide("Count", |o, _| {
            let series = meta::at(o, &["series", "count"]).or_else(|| o.get("count"));
            series.and_then(Value::as_i64).unwrap_or(1).into()
        }),
        Column::computed("Name", "string", "name", 1, |o, _| meta::name(o).into()),
    ]
}

fn event_age(event: &Value, paths: &[&str], now: Timestamp) -> Value {
    let found =
        paths.iter().map(|p| meta::str_at(event, &p.split('.').collect::<Vec<_>>())).find(|t| !t.is_empty());
    age::since(found.unwrap_or_default(), now).into()
}
