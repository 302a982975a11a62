//! How the tables of [`super`] are written down.

use super::{Key, Kind, List, Place, Refusal};
use crate::operation::{Fidelity, Source, Tier};

/// What most kinds have in common.
pub(super) const PLAIN: Kind = Kind {
    stored_as: "",
    noun: "",
    place: Place::Project,
    key: Key::Single,
    required: &[],
    logstores: &[],
    kept: &[],
    fixed: None,
    unset: &[],
    texts: &[],
    revision: None,
    states: None,
    times: (&["createTime"], &["lastModifyTime"]),
    shown_in: None,
    list: List {
        names: "",
        items: "",
        item_fields: &[],
        filters: &[],
        counts: ("count", "total"),
        size_default: 100,
    },
    default: None,
    missing: Refusal { status: 404, code: "", message: "" },
    exists: Refusal { status: 400, code: "", message: "" },
    invalid_name: None,
    bytes_max: None,
    tier: Tier::C,
    fidelity: Fidelity::Accepted,
    source: Source::Docs("OpenAPI sls20201230"),
    calls: &[],
};

/// A list of names.
pub(super) const fn names(key: &'static str) -> List {
    List { names: key, ..PLAIN.list }
}

/// A list of whole documents.
pub(super) const fn items(key: &'static str) -> List {
    List { items: key, ..PLAIN.list }
}

/// `404 CODE: message`.
pub(super) const fn missing(code: &'static str, message: &'static str) -> Refusal {
    Refusal { status: 404, code, message }
}

/// `400 CODE: message`.
pub(super) const fn exists(code: &'static str, message: &'static str) -> Refusal {
    Refusal { status: 400, code, message }
}

/// Operations: `Verb Name METHOD "/path" ? "key" = "value",` each.
macro_rules! calls {
    ($($verb:ident $(($argument:expr))? $name:ident $method:ident $path:literal $(? $key:literal = $value:literal)?),+ $(,)?) => {
        &[$($crate::ops::documents::Call {
            verb: $crate::ops::documents::Verb::$verb $(($argument))?,
            name: stringify!($name),
            method: http::Method::$method,
            path: $path,
            selector: $crate::ops::documents::calls::calls!(@selector $($key $value)?),
        }),+]
    };
    (@selector) => { None };
    (@selector $key:literal $value:literal) => { Some(($key, $value)) };
}
pub(super) use calls;
