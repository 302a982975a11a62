//! Documents: resources that the service keeps and hands back without working on them, from
//! saved searches to topology stores. They differ in paths, in the field that holds the name, in
//! the keys of their lists and in their errors, and in nothing else; so they are rows of a table
//! of [`Kind`]s instead of types, and `mock-sls` serves all of them with one piece of code.
//!
//! Reading order: this file, then the tables in [`project`], [`jobs`], [`logstore`], [`account`].

mod account;
mod calls;
mod jobs;
mod logging;
mod logstore;
mod pipelines;
mod project;
pub mod stored_as;

use http::Method;

use crate::names::NameRule;
use crate::operation::{Endpoint, Fidelity, Scope, Source, Tier};

pub use account::{BUILT_IN_RESOURCES, BUILT_IN_TOPOSTORES};
pub use jobs::{ALERT, DISABLED, ENABLED, JobStates};
pub use logging::{CreateLogging, GetLogging, Logging, LoggingDetail};
pub use pipelines::{
    CreateLogtailPipelineConfig, DeleteLogtailPipelineConfig, GetLogtailPipelineConfig, InPipelineConfig,
    ListLogtailPipelineConfig, PipelineConfig, UpdateLogtailPipelineConfig,
};

/// A kind of document.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Under which name its documents are stored; kinds with the same name show the same
    /// documents (`/alerts/{name}` is a view of `/jobs/{name}`).
    pub stored_as: &'static str,
    /// Noun of error messages.
    pub noun: &'static str,
    /// What its documents belong to and are deleted with.
    pub place: Place,
    /// What tells the documents of one place apart.
    pub key: Key,
    /// Fields that a new document must have besides its name.
    pub required: &'static [(&'static str, Shape)],
    /// Top-level fields that must name existing Logstores of the project, if given.
    pub logstores: &'static [&'static str],
    /// Fields that stay when an update does not give them; all others are replaced.
    pub kept: &'static [&'static str],
    /// A field with one value in every document of this kind.
    pub fixed: Option<(&'static str, &'static str)>,
    /// Texts that a document shows in fields which nobody set: clients take them for granted.
    pub unset: &'static [(&'static str, &'static str)],
    /// Fields that are shown as JSON in a text, though clients may send the JSON itself.
    pub texts: &'static [&'static str],
    /// A field that counts the times a document was set.
    pub revision: Option<&'static str>,
    /// States that its actions move between.
    pub states: Option<JobStates>,
    /// Names of the fields that show the Unix seconds of creation and of the last change.
    pub times: (&'static [&'static str], &'static [&'static str]),
    /// Key under which a single document is shown; none shows its fields themselves.
    pub shown_in: Option<&'static str>,
    /// What lists look like.
    pub list: List,
    /// What `Get` of [`Key::Single`] answers where nothing was stored, as JSON; none is an error.
    pub default: Option<&'static str>,
    /// The error for a name that is not there.
    pub missing: Refusal,
    /// The error for a name that is taken.
    pub exists: Refusal,
    /// Code of the error for a name that breaks the rule, where it is one of the kind's own.
    pub invalid_name: Option<&'static str>,
    /// Bytes that the body of a call may have, where there is a limit of the kind's own.
    pub bytes_max: Option<usize>,
    /// How much depends on its operations.
    pub tier: Tier,
    /// How faithful they are.
    pub fidelity: Fidelity,
    /// Where our knowledge of them comes from.
    pub source: Source,
    /// Its operations.
    pub calls: &'static [Call],
}

/// What documents belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The caller's account.
    Account,
    /// The project of the host name.
    Project,
    /// The Logstore `{logstore}` of the path.
    Logstore,
    /// The document `{parent}` of the path, which is stored as this and belongs to the account.
    Within {
        /// Its [`Kind::stored_as`].
        parent: &'static str,
    },
}

/// What tells the documents of one place apart.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    /// A field of the body, the same as `{name}` in the path if there is one.
    Field(&'static str, &'static NameRule),
    /// Query parameters, or body fields of the same names; the first one must be given.
    Query(&'static [&'static str]),
    /// There is at most one.
    Single,
}

/// What a field must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// An object.
    Object,
    /// A list.
    List,
    /// A whole number.
    Number,
    /// `true` or `false`; the texts are accepted too.
    Bool,
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

/// The form of a list.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// Key of the names; empty for none.
    pub names: &'static str,
    /// Key of whole documents, or of parts of them; empty for none.
    pub items: &'static str,
    /// Fields that an item shows; empty for all.
    pub item_fields: &'static [&'static str],
    /// Parameters that narrow the list. The Go SDK sends some as headers.
    pub filters: &'static [Filter],
    /// Keys of how many there are on the page, and altogether.
    pub counts: (&'static str, &'static str),
    /// Page size where the caller gives none.
    pub size_default: i64,
}

/// A parameter that narrows a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// Name of the parameter.
    pub parameter: &'static str,
    /// JSON pointer of what it is compared with.
    pub pointer: &'static str,
    /// How.
    pub test: Test,
}

/// How a [`Filter`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The field contains the parameter.
    Contains,
    /// The field is the parameter.
    Is,
    /// As [`Test::Is`], but this parameter is any field.
    IsUnless(&'static str),
    /// The field is one of those that the parameter gives, separated by commas.
    OneOf,
    /// The field is a text of JSON whose object has this key.
    HasKey,
    /// The field is a text of JSON whose object has this value.
    HasValue,
    /// The field is a text of JSON whose object has all pairs of the object that the parameter gives, as JSON in
    /// base64, perhaps escaped once more than it must be. Source: JavaSDK `ListTopostoreRequest`.
    HasPairs,
}

/// An error answer about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `errorCode`.
    pub code: &'static str,
    /// `errorMessage`; `{}` stands for the name, `{project}` for that of the project.
    pub message: &'static str,
}

/// One operation on a kind of document.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it does.
    pub verb: Verb,
    /// Name in the API documents.
    pub name: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path template.
    pub path: &'static str,
    /// Query parameter that chooses it.
    pub selector: Option<(&'static str, &'static str)>,
}

/// What an operation does with documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Adds one; it must not exist.
    Create,
    /// Shows one.
    Get,
    /// Replaces one; it must exist.
    Update,
    /// Adds or replaces one.
    Put,
    /// Adds or replaces those in the list under this key of the body.
    PutMany(&'static str),
    /// Removes one; it must exist.
    Delete,
    /// Removes those that this query parameter names, separated by commas; all must exist.
    DeleteMany(&'static str),
    /// Shows a page of them.
    List,
    /// Moves one to another state; see [`JobStates`].
    Act(Action),
}

/// An action on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lets an alert or schedule work.
    Enable,
    /// Lets it rest.
    Disable,
    /// Runs a long-running job.
    Start,
    /// Ends it.
    Stop,
    /// Ends and runs it, perhaps with a new description.
    Restart,
}

impl Action {
    /// Whether the job works afterwards.
    #[must_use]
    pub fn enables(self) -> bool {
        matches!(self, Self::Enable | Self::Start | Self::Restart)
    }
}

impl Kind {
    /// The endpoint of one of its calls.
    #[must_use]
    pub fn endpoint(&self, call: &Call) -> Endpoint {
        let scope = match self.place {
            Place::Account | Place::Within { .. } => Scope::Account,
            Place::Project | Place::Logstore => Scope::Project,
        };
        Endpoint {
            name: call.name,
            scope,
            method: call.method.clone(),
            path: call.path,
            selector: call.selector,
            tier: self.tier,
            fidelity: self.fidelity,
            source: self.source,
        }
    }
}

/// Every kind of document.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    [project::KINDS, jobs::KINDS, logstore::KINDS, account::KINDS].into_iter().flatten().copied()
}

/// Every operation on documents.
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    kinds().flat_map(|kind| kind.calls.iter().map(|call| kind.endpoint(call)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_an_object() {
        for kind in kinds() {
            let Some(text) = kind.default else { continue };
            assert!(serde_json::from_str::<serde_json::Value>(text).unwrap().is_object(), "{}", kind.noun);
            assert!(matches!(kind.key, Key::Single), "{}", kind.noun);
        }
    }

    #[test]
    fn paths_hold_what_the_place_and_the_key_need() {
        for kind in kinds() {
            for call in kind.calls {
                let has = |part: &str| call.path.contains(part);
                assert_eq!(has("{logstore}"), kind.place == Place::Logstore, "{}", call.name);
                assert_eq!(has("{parent}"), matches!(kind.place, Place::Within { .. }), "{}", call.name);
                let one = matches!(call.verb, Verb::Get | Verb::Update | Verb::Delete | Verb::Act(_));
                let named = matches!(kind.key, Key::Field(..));
                if one && named {
                    assert!(has("{name}"), "{}", call.name);
                }
            }
        }
    }

    #[test]
    fn kinds_with_actions_have_states() {
        for kind in kinds() {
            let acts = kind.calls.iter().any(|call| matches!(call.verb, Verb::Act(_)));
            assert!(!acts || kind.states.is_some(), "{}", kind.noun);
        }
    }
}
