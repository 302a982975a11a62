//! Reads leaves out of a JSON document without building a tree.
//!
//! A truncated document is read up to where it breaks, as the service indexes it (document
//! "Data types"). Arrays and what is in them are not indexed and are skipped.

use std::borrow::Cow;
use std::ops::ControlFlow;

/// Levels of nesting that are followed. Guess: protects the stack.
const DEPTH_MAX: usize = 64;

/// The text of the leaf at `path` (`a.b`): a string without its quotes, a number or boolean as
/// written. Nothing for `null`, objects and arrays.
pub fn leaf<'j>(json: &'j [u8], path: &str) -> Option<Cow<'j, [u8]>> {
    let mut found = None;
    Walk { json, at: 0 }.document(Some(path), &mut |text| {
        found = Some(text);
        ControlFlow::Break(())
    });
    found
}

/// Visits the text of every leaf until `visit` breaks.
pub fn for_each_leaf<'j>(json: &'j [u8], mut visit: impl FnMut(Cow<'j, [u8]>) -> ControlFlow<()>) {
    Walk { json, at: 0 }.document(None, &mut visit);
}

/// The walk is over: the visitor has what it wanted, or the document is broken here.
struct Over;

type Visit<'v, 'j> = &'v mut dyn FnMut(Cow<'j, [u8]>) -> ControlFlow<()>;

struct Walk<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Walk<'j> {
    fn document(&mut self, path: Option<&str>, visit: Visit<'_, 'j>) {
        self.blank();
        if self.peek() == Some(b'{') {
            // Whether it ended well or at a break makes no difference to who asked.
            let _: Result<(), Over> = self.object(path, DEPTH_MAX, visit);
        }
    }

    /// An object. `path` leads to the wanted leaf; without it all leaves are wanted.
    fn object(&mut self, path: Option<&str>, depth: usize, visit: Visit<'_, 'j>) -> Result<(), Over> {
        self.at += 1;
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.symbol(b':')?;
            match path {
                None => self.value(None, depth, visit)?,
                Some(path) => match rest_of_path(path, &key) {
                    Some(rest) => self.value(Some(rest), depth, visit)?,
                    None => self.skip()?,
                },
            }
            self.blank();
            match self.next()? {
                b',' => self.blank(),
                b'}' => return Ok(()),
                _ => return Err(Over),
            }
        }
    }

    fn value(&mut self, path: Option<&str>, depth: usize, visit: Visit<'_, 'j>) -> Result<(), Over> {
        let wanted = path.is_none_or(str::is_empty);
        match self.peek() {
            Some(b'{') if depth > 0 && path != Some("") => self.object(path, depth - 1, visit),
            Some(b'"') if wanted => {
                let text = self.string()?;
                self.give(text, visit)
            }
            Some(b'{' | b'[' | b'"') => self.skip(),
            _ => {
                let text = self.scalar()?;
                match wanted && text != b"null" {
                    true => self.give(Cow::Borrowed(text), visit),
                    false => Ok(()),
                }
            }
        }
    }

    fn give(&self, text: Cow<'j, [u8]>, visit: Visit<'_, 'j>) -> Result<(), Over> {
        match visit(text) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Over),
        }
    }

    /// A string; borrowed unless it has escapes.
    fn string(&mut self) -> Result<Cow<'j, [u8]>, Over> {
        if self.next()? != b'"' {
            return Err(Over);
        }
        let start = self.at;
        let plain = self.rest().iter().position(|b| matches!(b, b'"' | b'\\')).ok_or(Over)?;
        if self.rest().get(plain) == Some(&b'"') {
            self.at += plain + 1;
            return self.json.get(start..start + plain).map(Cow::Borrowed).ok_or(Over);
        }
        self.skip_string_body()?;
        let quoted = self.json.get(start - 1..self.at).ok_or(Over)?;
        match serde_json::from_slice::<String>(quoted) {
            Ok(text) => Ok(Cow::Owned(text.into_bytes())),
            Err(_) => Ok(Cow::Borrowed(&quoted[1..quoted.len() - 1])),
        }
    }

    fn skip_string_body(&mut self) -> Result<(), Over> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// A number, `true`, `false` or `null`. It must be followed by something: at the end of a
    /// truncated document half a number would be wrong.
    fn scalar(&mut self) -> Result<&'j [u8], Over> {
        let length =
            self.rest().iter().position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace());
        let text = length.and_then(|length| self.rest().get(..length)).filter(|text| !text.is_empty());
        let text = text.ok_or(Over)?;
        self.at += text.len();
        Ok(text)
    }

    /// Skips a value without recursion.
    fn skip(&mut self) -> Result<(), Over> {
        let mut open = 0usize;
        loop {
            self.blank();
            match self.peek().ok_or(Over)? {
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open = open.checked_sub(1).ok_or(Over)?;
                    self.at += 1;
                }
                b'"' => {
                    self.at += 1;
                    self.skip_string_body()?;
                }
                b',' | b':' => self.at += 1,
                _ => {
                    self.scalar()?;
                }
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn symbol(&mut self, wanted: u8) -> Result<(), Over> {
        self.blank();
        if self.next()? != wanted {
            return Err(Over);
        }
        self.blank();
        Ok(())
    }

    fn blank(&mut self) {
        let blank = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blank;
    }

    fn rest(&self) -> &'j [u8] {
        self.json.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, Over> {
        let byte = self.peek().ok_or(Over)?;
        self.at += 1;
        Ok(byte)
    }
}

/// What remains of `path` after `key`; empty when `key` is all of it. A key may have dots itself.
fn rest_of_path<'p>(path: &'p str, key: &[u8]) -> Option<&'p str> {
    let rest = path.strip_prefix(std::str::from_utf8(key).ok()?)?;
    match rest.is_empty() {
        true => Some(rest),
        false => rest.strip_prefix('.').filter(|rest| !rest.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(json: &str, path: &str) -> Option<String> {
        leaf(json.as_bytes(), path).map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    const INFO: &str = r#" {"usedTime": 45,"success":true,"skip":[1,{"a":"]"}],"param":{"name":"p\"1\u4e2d"},"n":null,"x.y":{"z":1.5e3}} "#;

    #[test]
    fn leaves_are_found_by_path() {
        assert_eq!(at(INFO, "usedTime").as_deref(), Some("45"));
        assert_eq!(at(INFO, "success").as_deref(), Some("true"));
        assert_eq!(at(INFO, "param.name").as_deref(), Some("p\"1中"));
        assert_eq!(at(INFO, "x.y.z").as_deref(), Some("1.5e3"));
        for path in ["n", "param", "skip", "skip.a", "missing", "param.name.x", ""] {
            assert_eq!(at(INFO, path), None, "{path}");
        }
    }

    #[test]
    fn a_truncated_document_is_read_up_to_the_break() {
        let json = r#"{"usedTime":99,"success":true,"param":{"projectN"#;
        assert_eq!(at(json, "usedTime").as_deref(), Some("99"));
        assert_eq!(at(json, "param.projectName"), None);
        assert_eq!(at(r#"{"a":12"#, "a"), None);
        assert_eq!(at(r#"{"a":"12"#, "a"), None);
    }

    #[test]
    fn every_leaf_is_visited() {
        let mut texts = Vec::new();
        for_each_leaf(INFO.as_bytes(), |text| {
            texts.push(String::from_utf8_lossy(&text).into_owned());
            ControlFlow::Continue(())
        });
        assert_eq!(texts, ["45", "true", "p\"1中", "1.5e3"]);
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        assert_eq!(at(&deep, &vec!["a"; 100_000].join(".")), None);
        assert_eq!(at(&format!(r#"{{"x":{deep},"y":1}}"#), "y").as_deref(), Some("1"));
    }

    proptest! {
        #[test]
        fn agrees_with_serde(value in r#"[a-z"\\\n{}\[\],:]{0,12}"#, number in any::<i32>(), key in "[a-c]{1,2}") {
            let json = serde_json::json!({"p": {key.clone(): value, "n": number}, "q": [value]}).to_string();
            let expected = (key != "n").then_some(value);
            prop_assert_eq!(at(&json, &format!("p.{key}")), expected);
            prop_assert_eq!(at(&json, "p.n"), Some(number.to_string()));
        }

        #[test]
        fn any_bytes_are_taken(json in r#"[{}\[\]",:a0 \\]{0,40}"#) {
            let _ = leaf(json.as_bytes(), "a.a");
            for_each_leaf(json.as_bytes(), |_| ControlFlow::Continue(()));
        }
    }
}
