//! Why an object or a set of options is invalid, field by field.

use serde_json::Value;

/// Why one field is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CauseKind {
    /// A mandatory field is missing.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value is not one of an enumeration.
    NotSupported,
    /// The value may not be there at all.
    Forbidden,
    /// A string exceeds its limit.
    TooLong,
    /// A list or map exceeds its limit.
    TooMany,
    /// The same value or key stands twice in a set or map list.
    Duplicate,
    /// The value names something that is not there.
    NotFound,
    /// A value has the wrong JSON type.
    TypeInvalid,
}

impl CauseKind {
    /// `reason` of the cause on the wire.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Duplicate => "FieldValueDuplicate",
            Self::NotFound => "FieldValueNotFound",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// One refused field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Class of the problem.
    pub kind: CauseKind,
    /// Path of the field, for example `spec.ports[0].port`.
    pub field: String,
    /// Text after the field name, for example `Required value`.
    pub message: String,
}

impl Cause {
    /// The field is missing. `detail` may be empty.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self {
            kind: CauseKind::Required,
            field: field.into(),
            message: with_detail("Required value", detail),
        }
    }

    /// The value breaks a rule; `value` is shown as JSON.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            kind: CauseKind::Invalid,
            field: field.into(),
            message: with_detail(&format!("Invalid value: {value}"), detail),
        }
    }

    /// The value is outside of an enumeration.
    pub fn not_supported(field: impl Into<String>, value: &Value, allowed: &[String]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(|a| format!("{a:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", allowed.join(", "));
        Self { kind: CauseKind::NotSupported, field: field.into(), message }
    }

    /// The field must not be set, or not be changed.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { kind: CauseKind::Forbidden, field: field.into(), message: with_detail("Forbidden", detail) }
    }

    /// The value stands twice where it may stand once.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self { kind: CauseKind::Duplicate, field: field.into(), message: format!("Duplicate value: {value}") }
    }

    /// The value names something that is not there.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self { kind: CauseKind::NotFound, field: field.into(), message: format!("Not found: {value}") }
    }

    /// Field and message.
    pub(super) fn text(&self) -> String {
        if self.field.is_empty() { self.message.clone() } else { format!("{}: {}", self.field, self.message) }
    }
}

fn with_detail(head: &str, detail: &str) -> String {
    if detail.is_empty() { head.to_owned() } else { format!("{head}: {detail}") }
}
