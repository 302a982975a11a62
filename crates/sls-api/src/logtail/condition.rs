//! Which logs are sent, as an expression: `advanced.filter_expression`, and `ConditionExp` of
//! `processor_filter_regex_native`.
//!
//! A tree of `{"operator": "and", "operands": [A, B]}` (or `or`; `not` takes one) and of leaves
//! `{"key": "level", "exp": "WARN|ERROR", "type": "regex"}`. Source: LoongCollector's
//! `ProcessorFilterNative`, which takes exactly these and refuses the config for any other.

use serde_json::{Map, Value};

/// Operators inside of each other. Source: guess, far above what people write.
pub const DEPTH_MAX: usize = 32;
/// Leaves of one expression. Source: guess, as above; each is a regular expression to be kept.
pub const LEAVES_MAX: usize = 256;
/// Members of a leaf and of an operator.
const LEAF: [&str; 3] = ["key", "exp", "type"];
const OPERATOR: [&str; 2] = ["operator", "operands"];

/// A condition on the fields of one log; `E` is what a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition<E> {
    /// All hold.
    All(Vec<Self>),
    /// One holds, or several.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// The log has a field of this name, with a value that matches.
    Field(String, E),
}

/// A regular expression as it is written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The expression, which values match as a whole.
    pub text: String,
    /// Path of the leaf, e.g. `ConditionExp.operands[1]`.
    pub place: String,
}

/// Something wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the member.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl<E> Condition<E> {
    /// Whether it holds where `matches` says it of a field; allocates nothing. A field that is not there matches
    /// nothing, so that `not` of it holds.
    pub fn holds(&self, matches: &mut impl FnMut(&str, &E) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(matches)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(matches)),
            Self::Not(part) => !part.holds(matches),
            Self::Field(key, expected) => matches(key, expected),
        }
    }

    /// What it is for every log, if that is the same for all. `may_exist` says which fields logs may have.
    pub fn constant(&self, may_exist: &impl Fn(&str) -> bool) -> Option<bool> {
        let of = |parts: &[Self], deciding: bool| {
            let mut others = Some(!deciding);
            for part in parts {
                match part.constant(may_exist) {
                    Some(value) if value == deciding => return Some(deciding),
                    Some(_) => {}
                    None => others = None,
                }
            }
            others
        };
        match self {
            Self::All(parts) => of(parts, false),
            Self::Any(parts) => of(parts, true),
            Self::Not(part) => part.constant(may_exist).map(|value| !value),
            Self::Field(key, _) => (!may_exist(key)).then_some(false),
        }
    }

    /// Its leaves, in the order in which they are written.
    pub fn fields(&self) -> Vec<(&str, &E)> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Field(key, expected) => vec![(key, expected)],
        }
    }

    /// The same tree with other leaves; `make` is asked for all of them, also after one that it has none for.
    pub fn map<T>(self, make: &mut impl FnMut(E) -> Option<T>) -> Option<Condition<T>> {
        let mut all = |parts: Vec<Self>| {
            let parts: Vec<_> = parts.into_iter().map(|part| part.map(make)).collect();
            parts.into_iter().collect::<Option<Vec<_>>>()
        };
        Some(match self {
            Self::All(parts) => Condition::All(all(parts)?),
            Self::Any(parts) => Condition::Any(all(parts)?),
            Self::Not(part) => Condition::Not(Box::new(part.map(make)?)),
            Self::Field(key, expected) => Condition::Field(key, make(expected)?),
        })
    }
}

/// Reads an expression that stands at `field`.
///
/// # Errors
/// Everything that is wrong with it; never empty. Whether its regular expressions compile is not among it.
pub fn read_condition(value: &Value, field: &str) -> Result<Condition<Pattern>, Vec<Fault>> {
    let mut reader = Reader { faults: Vec::new(), leaves: 0 };
    match reader.node(value, field, 0) {
        Some(condition) if reader.faults.is_empty() => Ok(condition),
        _ => Err(reader.faults),
    }
}

struct Reader {
    faults: Vec<Fault>,
    leaves: usize,
}

impl Reader {
    fn fault<T>(&mut self, field: impl Into<String>, message: impl Into<String>) -> Option<T> {
        self.faults.push(Fault { field: field.into(), message: message.into() });
        None
    }

    /// `None` after a fault.
    fn node(&mut self, value: &Value, field: &str, depth: usize) -> Option<Condition<Pattern>> {
        let Value::Object(node) = value else {
            return self.fault(
                field,
                "has the wrong type: write {\"key\": …, \"exp\": …, \"type\": \"regex\"} or \
                 {\"operator\": \"and\", \"operands\": […]}",
            );
        };
        if node.contains_key("operator") || node.contains_key("operands") {
            self.only(node, field, &OPERATOR);
            self.operator(node, field, depth)
        } else {
            self.only(node, field, &LEAF);
            self.leaf(node, field)
        }
    }

    fn only(&mut self, node: &Map<String, Value>, field: &str, known: &[&str]) {
        for key in node.keys().filter(|key| !known.contains(&key.as_str())) {
            let shown: String = key.chars().take(60).collect();
            let message = format!("does not belong there: write {} only", known.join(", "));
            self.fault::<()>(format!("{field}.{shown}"), message);
        }
    }

    fn text<'v>(&mut self, node: &'v Map<String, Value>, field: &str, key: &str) -> Option<&'v str> {
        match node.get(key) {
            None | Some(Value::Null) => self.fault(format!("{field}.{key}"), "is missing: write a text"),
            Some(Value::String(text)) => Some(text),
            Some(_) => self.fault(format!("{field}.{key}"), "has the wrong type: write a text"),
        }
    }

    fn operator(
        &mut self,
        node: &Map<String, Value>,
        field: &str,
        depth: usize,
    ) -> Option<Condition<Pattern>> {
        if depth >= DEPTH_MAX {
            return self.fault(
                field,
                format!("stands inside of {DEPTH_MAX} operators, the most allowed: write a|b into one exp, or less"),
            );
        }
        let operator = self.text(node, field, "operator").map(str::to_ascii_lowercase);
        let operands = match node.get("operands") {
            Some(Value::Array(operands)) => operands.as_slice(),
            _ => {
                return self.fault(format!("{field}.operands"), "is no list: write the conditions as a list");
            }
        };
        let operator = operator?;
        let (wanted, advice) = match operator.as_str() {
            "and" | "or" => (2, "put further ones into an operand that is such an operator itself"),
            "not" => (1, "put several into one and, or one or"),
            _ => {
                let shown: String = operator.chars().take(60).collect();
                let message = format!("{shown:?} is not known: write and, or, not");
                return self.fault(format!("{field}.operator"), message);
            }
        };
        if operands.len() != wanted {
            let message = format!("has {} entries, but {operator} takes {wanted}: {advice}", operands.len());
            return self.fault(format!("{field}.operands"), message);
        }
        let parts: Vec<_> = operands
            .iter()
            .enumerate()
            .map(|(n, operand)| self.node(operand, &format!("{field}.operands[{n}]"), depth + 1))
            .collect();
        let mut parts: Vec<_> = parts.into_iter().collect::<Option<_>>()?;
        Some(match operator.as_str() {
            "and" => Condition::All(parts),
            "or" => Condition::Any(parts),
            _ => Condition::Not(Box::new(parts.pop()?)),
        })
    }

    fn leaf(&mut self, node: &Map<String, Value>, field: &str) -> Option<Condition<Pattern>> {
        self.leaves += 1;
        if self.leaves > LEAVES_MAX {
            let message =
                format!("has more than {LEAVES_MAX} conditions: write a|b into one exp instead of several");
            return if self.leaves == LEAVES_MAX + 1 { self.fault(field, message) } else { None };
        }
        let key = self.text(node, field, "key");
        let text = self.text(node, field, "exp");
        let kind = self.text(node, field, "type");
        if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("regex")) {
            let shown: String = kind.chars().take(60).collect();
            self.fault::<()>(format!("{field}.type"), format!("{shown:?} is not known: write regex"));
        }
        if key == Some("") {
            self.fault::<()>(format!("{field}.key"), "is empty: name a field");
        }
        kind?;
        Some(Condition::Field(key?.to_owned(), Pattern { text: text?.to_owned(), place: field.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn leaf(key: &str, exp: &str) -> Value {
        json!({"key": key, "exp": exp, "type": "regex"})
    }

    fn op(operator: &str, operands: &[Value]) -> Value {
        json!({"operator": operator, "operands": operands})
    }

    /// Shows the faults, one a line.
    fn faults(value: Value, want: Expect) {
        let faults = read_condition(&value, "exp").unwrap_err();
        want.assert_eq(&faults.iter().map(|f| format!("{}: {}\n", f.field, f.message)).collect::<String>());
    }

    #[test]
    fn a_tree_holds_as_its_operators_say() {
        let tree = op("AND", &[leaf("a", "1"), op("or", &[op("not", &[leaf("b", "2")]), leaf("c", "3")])]);
        let condition = read_condition(&tree, "exp").unwrap();
        let holds = |log: &[(&str, &str)]| {
            condition.holds(&mut |key, pattern| {
                log.iter().any(|(name, value)| *name == key && *value == pattern.text)
            })
        };
        assert!(holds(&[("a", "1"), ("b", "x")]));
        assert!(holds(&[("a", "1")]), "not of a field that is not there");
        assert!(holds(&[("a", "1"), ("b", "2"), ("c", "3")]));
        assert!(!holds(&[("a", "1"), ("b", "2"), ("c", "x")]));
        assert!(!holds(&[("b", "x"), ("c", "3")]));
        let leaves: Vec<_> = condition.fields().iter().map(|(key, p)| format!("{key} {}", p.place)).collect();
        assert_eq!(
            leaves,
            [
                "a exp.operands[0]",
                "b exp.operands[1].operands[0].operands[0]",
                "c exp.operands[1].operands[1]"
            ]
        );
    }

    #[test]
    fn what_is_the_same_for_every_log_is_known() {
        let constant = |tree: Value| {
            read_condition(&tree, "exp").unwrap().constant(&|key: &str| key.starts_with("there"))
        };
        let (there, gone) = (leaf("there", "x"), leaf("gone", "x"));
        assert_eq!(constant(there.clone()), None);
        assert_eq!(constant(gone.clone()), Some(false));
        assert_eq!(constant(op("and", &[there.clone(), gone.clone()])), Some(false));
        assert_eq!(constant(op("or", &[there.clone(), gone.clone()])), None);
        assert_eq!(constant(op("not", std::slice::from_ref(&gone))), Some(true));
        assert_eq!(constant(op("or", &[there.clone(), op("not", &[gone])])), Some(true));
        assert_eq!(constant(op("and", &[there.clone(), there])), None);
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        faults(
            json!("level"),
            expect![[r#"
                exp: has the wrong type: write {"key": …, "exp": …, "type": "regex"} or {"operator": "and", "operands": […]}
            "#]],
        );
        faults(
            op("or", &[json!({"key": "", "exp": 1, "type": "equals"}), json!({}), json!({})]),
            expect![[r#"
                exp.operands: has 3 entries, but or takes 2: put further ones into an operand that is such an operator itself
            "#]],
        );
        faults(
            op("or", &[json!({"key": "", "exp": 1, "type": "equals"}), json!({"keys": "a"})]),
            expect![[r#"
                exp.operands[0].exp: has the wrong type: write a text
                exp.operands[0].type: "equals" is not known: write regex
                exp.operands[0].key: is empty: name a field
                exp.operands[1].keys: does not belong there: write key, exp, type only
                exp.operands[1].key: is missing: write a text
                exp.operands[1].exp: is missing: write a text
                exp.operands[1].type: is missing: write a text
            "#]],
        );
        faults(
            op("and", &[op("nand", &[]), json!({"operator": "not", "operands": {}, "key": "a"})]),
            expect![[r#"
                exp.operands[0].operator: "nand" is not known: write and, or, not
                exp.operands[1].key: does not belong there: write operator, operands only
                exp.operands[1].operands: is no list: write the conditions as a list
            "#]],
        );
    }

    #[test]
    fn depth_and_leaves_have_a_limit() {
        let deep = |levels| (0..levels).fold(leaf("a", "x"), |inner, _| op("not", &[inner]));
        assert!(read_condition(&deep(DEPTH_MAX), "exp").is_ok());
        let fault = read_condition(&deep(DEPTH_MAX + 1), "exp").unwrap_err();
        assert!(fault[0].message.contains("inside of 32 operators"), "{fault:?}");
        let mut wide = vec![leaf("a", "x"); 2 * LEAVES_MAX];
        while wide.len() > 1 {
            wide = wide.chunks(2).map(|pair| op("or", pair)).collect();
        }
        let fault = read_condition(&wide[0], "exp").unwrap_err();
        assert_eq!(fault.len(), 1);
        assert!(fault[0].message.contains("more than 256 conditions"), "{fault:?}");
    }
}
