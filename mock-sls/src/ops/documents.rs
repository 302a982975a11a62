//! Documents of every kind: one piece of code over the table `sls_api::ops::documents`.
//!
//! Reading order: [`serve`] → [`request`] (what the call says) → [`rules`] (what its kind
//! demands; [`single`]: what a table cannot say) → the verbs below.

mod built_in;
mod request;
mod rules;
mod single;

pub(super) use request::{first_part, same_name};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value, json};
use sls_api::Json;
use sls_api::operation::{Payload, WireBody};
use sls_api::ops::documents::{self, Action, Key, Kind, Place, Refusal, Verb, stored_as};

use self::request::Request;
use super::parts::charts::check_all;
use crate::app::App;
use crate::error::ApiError;
use crate::quotas::Quotas;
use crate::route::{Context, Operations, Raw};
use crate::store::documents::{self as store, Condition, Document, Listed, Owner};
use crate::store::page::Page;
use crate::store::{logstores, projects};

/// Registers the operations of this file.
pub fn operations(operations: Operations) -> Operations {
    documents::kinds().fold(operations, |operations, kind| {
        kind.calls.iter().fold(operations, |operations, call| {
            let verb = call.verb;
            operations.op_raw(kind.endpoint(call), move |context, raw| serve(kind, verb, context, raw))
        })
    })
}

async fn serve(kind: &'static Kind, verb: Verb, context: Context, raw: Raw) -> Result<Payload, ApiError> {
    let request = Request::read(kind, verb, raw)?;
    let Context { app, project, account, now, .. } = context;
    let named = project.as_ref().map(ToString::to_string).unwrap_or_default();
    let caller = Caller { project, account };
    let answer = run(kind, verb, &app, caller, request, now).await;
    answer.map_err(|error| match error {
        ApiError::Refused { status, code, message } => {
            ApiError::Refused { status, code, message: message.replace("{project}", &named) }
        }
        other => other,
    })
}

async fn run(
    kind: &'static Kind,
    verb: Verb,
    app: &App,
    caller: Caller,
    request: Request,
    now: Timestamp,
) -> Result<Payload, ApiError> {
    built_in::ensure(&app.store, &caller.account, kind, &request, now).await?;
    match verb {
        Verb::Get => {
            app.store
                .read(move |db| {
                    let owner = caller.owner(db, kind, &request)?;
                    let name = request.name(kind)?;
                    single::check_call(db, &caller, kind, &owner, verb, &name)?;
                    get(db, kind, &owner, &name)
                })
                .await
        }
        Verb::List => {
            let page = request.page(kind)?;
            app.store
                .read(move |db| {
                    let owner = caller.owner(db, kind, &request)?;
                    list(db, kind, &owner, &request, page)
                })
                .await
        }
        _ => {
            let quotas = app.quotas;
            app.store
                .write(move |tx| {
                    let owner = caller.owner(tx, kind, &request)?;
                    let change = Change { tx, kind, owner: &owner, quotas, now };
                    change.apply(&caller, verb, request)
                })
                .await?;
            Ok(Payload::default())
        }
    }
}

/// Who calls, and on which host.
struct Caller {
    project: Option<sls_api::names::ProjectName>,
    account: String,
}

impl Caller {
    fn project(&self, db: &Connection) -> Result<projects::ProjectId, ApiError> {
        projects::owned(db, self.project.as_ref().ok_or(ApiError::NoProject)?, &self.account)
    }

    /// What the documents of this request belong to.
    fn owner(&self, db: &Connection, kind: &Kind, request: &Request) -> Result<Owner, ApiError> {
        let account = || Owner::Account(self.account.clone());
        match kind.place {
            Place::Account => Ok(account()),
            Place::Project => Ok(Owner::Project(self.project(db)?)),
            Place::Logstore => {
                let name = request.path("logstore").try_into()?;
                Ok(Owner::Logstore(logstores::find(db, self.project(db)?, &name)?))
            }
            Place::Within { parent } => {
                Ok(Owner::Document(stored(db, &account(), parent, request.path("parent"))?.id))
            }
        }
    }
}

/// The document that is stored as this under this name, whatever its kind; it must exist.
pub(super) fn stored(
    db: &Connection,
    owner: &Owner,
    stored_as: &str,
    name: &str,
) -> Result<Document, ApiError> {
    store::find(db, owner, stored_as, name)?.ok_or_else(|| missing(stored_as, name))
}

/// The error for a name under which no document is stored as this.
pub(super) fn missing(stored_as: &str, name: &str) -> ApiError {
    match documents::kinds().find(|kind| kind.stored_as == stored_as) {
        Some(kind) => refused(kind.missing, name),
        None => ApiError::Internal(format!("there is no kind of document {stored_as}")),
    }
}

/// The error that a table gives for a name.
fn refused(refusal: Refusal, name: &str) -> ApiError {
    ApiError::Refused {
        status: refusal.status,
        code: refusal.code,
        message: refusal.message.replace("{}", &request::shown(name)),
    }
}

/// The document of this name, if it is one of this kind's.
fn find(db: &Connection, kind: &Kind, owner: &Owner, name: &str) -> Result<Option<Document>, ApiError> {
    let found = store::find(db, owner, kind.stored_as, name)?;
    Ok(found.filter(|document| rules::is_of_kind(kind, &document.body)))
}

/// As [`find`]; the document must exist.
fn existing(db: &Connection, kind: &Kind, owner: &Owner, name: &str) -> Result<Document, ApiError> {
    find(db, kind, owner, name)?.ok_or_else(|| refused(kind.missing, name))
}

fn get(db: &Connection, kind: &Kind, owner: &Owner, name: &str) -> Result<Payload, ApiError> {
    match (find(db, kind, owner, name)?, kind.default) {
        (Some(document), _) => {
            let mut answer = described(kind, document);
            if let Some(key) = kind.shown_in {
                answer = Map::from_iter([(key.to_owned(), answer.into())]);
            }
            Ok(Json(answer).to_payload())
        }
        (None, Some(default)) => {
            let text = sls_api::operation::Text(default.to_owned());
            Ok(text.to_payload())
        }
        (None, None) => Err(refused(kind.missing, name)),
    }
}

/// A document as the caller sees it: what was set, what stands where nothing was, and its times.
fn described(kind: &Kind, document: Document) -> Map<String, Value> {
    let mut body = document.body;
    for (field, text) in kind.unset {
        body.entry(*field).or_insert_with(|| (*text).into());
    }
    for field in kind.times.0 {
        body.insert((*field).to_owned(), document.create_time.into());
    }
    for field in kind.times.1 {
        body.insert((*field).to_owned(), document.last_modify_time.into());
    }
    body
}

fn list(
    db: &Connection,
    kind: &Kind,
    owner: &Owner,
    request: &Request,
    page: Page,
) -> Result<Payload, ApiError> {
    let listed = Listed { owner, kind: kind.stored_as, conditions: request.conditions(kind)? };
    let total = listed.count(db)?;
    let (mut names, mut items) = (Vec::new(), Vec::new());
    if kind.list.items.is_empty() {
        names = listed.names(db, Some(page))?;
    } else {
        listed.each(db, page, |document| {
            names.push(document.name.clone());
            items.push(item(kind, document));
        })?;
    }
    let mut answer = Map::new();
    let (count_key, total_key) = kind.list.counts;
    answer.insert(count_key.to_owned(), names.len().into());
    answer.insert(total_key.to_owned(), total.into());
    if !kind.list.names.is_empty() {
        answer.insert(kind.list.names.to_owned(), json!(names));
    }
    if !kind.list.items.is_empty() {
        answer.insert(kind.list.items.to_owned(), json!(items));
    }
    Ok(Json(answer).to_payload())
}

/// A document as lists show it.
fn item(kind: &Kind, document: Document) -> Map<String, Value> {
    let mut item = described(kind, document);
    if !kind.list.item_fields.is_empty() {
        item.retain(|field, _| kind.list.item_fields.contains(&field.as_str()));
    }
    item
}

/// A write in progress.
struct Change<'a> {
    tx: &'a Transaction<'a>,
    kind: &'a Kind,
    owner: &'a Owner,
    quotas: Quotas,
    now: Timestamp,
}

impl Change<'_> {
    fn apply(&self, caller: &Caller, verb: Verb, request: Request) -> Result<(), ApiError> {
        match verb {
            // Reads do not come here.
            Verb::Get | Verb::List => Ok(()),
            Verb::Create => {
                let name = self.name(caller, verb, &request)?;
                if store::find(self.tx, self.owner, self.kind.stored_as, &name)?.is_some() {
                    return Err(refused(self.kind.exists, &name));
                }
                self.put(caller, &name, request.body)
            }
            Verb::Put => {
                let name = self.name(caller, verb, &request)?;
                self.put(caller, &name, request.body)
            }
            Verb::PutMany(list) => {
                for body in request::objects(request.body, list)? {
                    let name = request::name_in(self.kind, &body)?;
                    self.put(caller, &name, body)?;
                }
                Ok(())
            }
            Verb::Update => {
                let name = self.name(caller, verb, &request)?;
                existing(self.tx, self.kind, self.owner, &name)?;
                self.put(caller, &name, request.body)
            }
            Verb::Delete => {
                let name = self.name(caller, verb, &request)?;
                store::delete(self.tx, existing(self.tx, self.kind, self.owner, &name)?.id)
            }
            Verb::DeleteMany(parameter) => {
                for name in request.names(parameter)? {
                    store::delete(self.tx, existing(self.tx, self.kind, self.owner, name)?.id)?;
                }
                Ok(())
            }
            Verb::Act(action) => self.act(caller, action, request),
        }
    }

    /// The name that the call is about, if it may be made.
    fn name(&self, caller: &Caller, verb: Verb, request: &Request) -> Result<String, ApiError> {
        let name = request.name(self.kind)?;
        single::check_call(self.tx, caller, self.kind, self.owner, verb, &name)?;
        Ok(name)
    }

    /// Adds or replaces a document.
    fn put(&self, caller: &Caller, name: &str, mut body: Map<String, Value>) -> Result<(), ApiError> {
        let kind = self.kind;
        if let Key::Field(field, _) = kind.key {
            request::same_name(&body, field, name)?;
            body.insert(field.to_owned(), name.into());
        }
        if let Some((field, value)) = kind.fixed {
            body.insert(field.to_owned(), value.into());
        }
        let current = find(self.tx, kind, self.owner, name)?;
        rules::complete(kind, &mut body, current.as_ref().map(|document| &document.body));
        rules::check(kind, &body)?;
        if kind.stored_as == stored_as::DASHBOARD
            && let Some(Value::Array(charts)) = body.get("charts")
        {
            check_all(charts)?;
        }
        single::check_body(self.tx, caller, kind, self.owner, &body)?;
        for field in kind.logstores {
            rules::logstore_exists(self.tx, caller.project(self.tx)?, &body, field)?;
        }
        match current {
            Some(current) => store::replace(self.tx, current.id, &body, self.now),
            None => {
                self.check_quota(&body)?;
                store::insert(self.tx, self.owner, kind.stored_as, name, &body, self.now)
            }
        }
    }

    fn check_quota(&self, body: &Map<String, Value>) -> Result<(), ApiError> {
        let kind = self.kind;
        let is_alert = body.get("type").and_then(Value::as_str) == Some(documents::ALERT);
        let mut listed = Listed { owner: self.owner, kind: kind.stored_as, conditions: Vec::new() };
        let (noun, max) = match kind.stored_as {
            stored_as::DASHBOARD => (kind.noun, self.quotas.dashboards),
            stored_as::SAVED_SEARCH => (kind.noun, self.quotas.saved_searches),
            stored_as::PIPELINE_CONFIG => (kind.noun, self.quotas.logtail_configs),
            stored_as::DOMAIN => (kind.noun, 1),
            stored_as::JOB if is_alert => {
                listed.conditions.push(Condition::is("type", documents::ALERT));
                ("alert", self.quotas.alerts)
            }
            _ => (kind.noun, self.quotas.documents),
        };
        if listed.count(self.tx)? < max { Ok(()) } else { Err(ApiError::DocumentQuotaExceed(noun)) }
    }

    /// Moves a job to another state.
    fn act(&self, caller: &Caller, action: Action, request: Request) -> Result<(), ApiError> {
        let Some(states) = self.kind.states else { return Ok(()) };
        let name = request.name(self.kind)?;
        let mut job = existing(self.tx, self.kind, self.owner, &name)?;
        // The Go SDK restarts a job with a new description.
        if action == Action::Restart && !request.body.is_empty() {
            self.put(caller, &name, request.body)?;
            job = existing(self.tx, self.kind, self.owner, &name)?;
        }
        rules::check_action(states, &job.body, action)?;
        rules::set_state(states, &mut job.body, action.enables());
        store::replace(self.tx, job.id, &job.body, self.now)
    }
}
