//! What the operator may do for an object, by its annotation.

use std::collections::BTreeMap;

use super::RECONCILE_ANNOTATION;

/// How much the operator does. Source: operator specification §3.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reconcile {
    /// Everything.
    #[default]
    Enabled,
    /// It reads from Log Service and tells what it would change, and changes nothing.
    ObserveOnly,
    /// Nothing at all.
    Paused,
}

impl Reconcile {
    /// From the annotations of an object.
    ///
    /// # Errors
    /// The value of the annotation is none of the three; what to write instead.
    pub fn of(annotations: Option<&BTreeMap<String, String>>) -> Result<Self, String> {
        match annotations.and_then(|all| all.get(RECONCILE_ANNOTATION)).map(String::as_str) {
            None | Some("Enabled") => Ok(Self::Enabled),
            Some("ObserveOnly") => Ok(Self::ObserveOnly),
            Some("Paused") => Ok(Self::Paused),
            Some(other) => Err(format!(
                "annotation {RECONCILE_ANNOTATION} is {other:?}: write Enabled, ObserveOnly or Paused; until then \
                 nothing is read or changed"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_value_allows_nothing() {
        let of = |value: &str| {
            Reconcile::of(Some(&BTreeMap::from([(RECONCILE_ANNOTATION.to_owned(), value.to_owned())])))
        };
        assert_eq!((of("Paused"), of("Enabled")), (Ok(Reconcile::Paused), Ok(Reconcile::Enabled)));
        assert_eq!(Reconcile::of(None), Ok(Reconcile::Enabled));
        assert!(of("paused").unwrap_err().contains("write Enabled, ObserveOnly or Paused"));
    }
}
