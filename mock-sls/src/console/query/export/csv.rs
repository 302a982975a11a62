//! Rows as CSV (RFC 4180), for spreadsheets too: these take a text that begins with `=`, `+`, `-` or `@` for a formula
//! and run it. Such a text gets an apostrophe in front, unless it is a number; whoever needs the bytes as they are
//! exports JSON lines.

use std::collections::HashSet;

use sls_api::log_group::TIME_KEY;
use sls_api::ops::logs::{LogsMeta, Row};

/// Last column, with the fields that have none of their own as JSON: later logs may have fields that the first did
/// not, and the header is written by then.
const OTHERS: &str = "__others__";

/// A file in the making.
pub struct Csv {
    /// Empty until the first page is there.
    columns: Vec<String>,
    chosen: Vec<String>,
    began: bool,
    /// Whether there is a column for fields without one: whoever chose columns wants none, and SQL has no such fields.
    others: bool,
}

impl Csv {
    /// With these columns beside the time; all that there are if none are chosen.
    pub fn new(chosen: Vec<String>) -> Self {
        Self { columns: Vec::new(), chosen, began: false, others: false }
    }

    /// The next rows; in front of the first the header.
    pub fn write(&mut self, meta: &LogsMeta, rows: &[Row]) -> Vec<u8> {
        let mut text = String::new();
        if !self.began {
            self.began = true;
            self.others = self.chosen.is_empty() && !meta.has_sql;
            self.columns = self.header(meta, rows);
            let others = self.others.then_some(OTHERS);
            line(&mut text, self.columns.iter().map(String::as_str).chain(others));
        }
        for row in rows {
            let value = |column: &String| row.get(column).unwrap_or_default();
            let others = self.others.then(|| self.others(row));
            line(&mut text, self.columns.iter().map(value).chain(others.as_deref()));
        }
        text.into_bytes()
    }

    fn header(&self, meta: &LogsMeta, rows: &[Row]) -> Vec<String> {
        let time = TIME_KEY.to_owned();
        let has_time = !meta.has_sql && rows.iter().any(|row| row.get(TIME_KEY).is_some());
        let columns = if self.chosen.is_empty() { &meta.keys } else { &self.chosen };
        let mut seen = HashSet::new();
        let names = has_time.then_some(&time).into_iter().chain(columns);
        names.filter(|name| seen.insert(*name)).cloned().collect()
    }

    /// The fields of a row without a column, as JSON; nothing if there are none.
    fn others(&self, row: &Row) -> String {
        let is_other = |name: &String| !self.columns.contains(name);
        let others: Vec<(String, String)> =
            row.0.iter().filter(|(name, _)| is_other(name)).cloned().collect();
        if others.is_empty() {
            String::new()
        } else {
            serde_json::to_string(&Row(others)).unwrap_or_default()
        }
    }
}

fn line<'v>(text: &mut String, values: impl Iterator<Item = &'v str>) {
    for (place, value) in values.enumerate() {
        if place > 0 {
            text.push(',');
        }
        field(text, value);
    }
    text.push_str("\r\n");
}

fn field(text: &mut String, value: &str) {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']) && value.parse::<f64>().is_err();
    let quoted = value.contains(['"', ',', '\n', '\r']) || value.starts_with(' ') || value.ends_with(' ');
    if quoted {
        text.push('"');
    }
    if formula {
        text.push('\'');
    }
    if quoted {
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Row {
        Row(columns.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn csv(chosen: &[&str], has_sql: bool, pages: &[(&[&str], Vec<Row>)]) -> String {
        let mut csv = Csv::new(chosen.iter().map(|name| (*name).to_owned()).collect());
        let mut bytes = Vec::new();
        for (keys, rows) in pages {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            bytes.extend(csv.write(&LogsMeta { keys, has_sql, ..LogsMeta::default() }, rows));
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_come_back_from_any_reader_and_run_nowhere() {
        let values = [
            ("a", "x,\"y\"\nz", "\"x,\"\"y\"\"\nz\""),
            ("b", "=1+2", "'=1+2"),
            ("c", "-5.5", "-5.5"),
            ("d", "-x,", "\"'-x,\""),
            ("e", "@SUM(A1)", "'@SUM(A1)"),
            ("f", " x", "\" x\""),
        ];
        let logs = row(&values.map(|(name, value, _)| (name, value)));
        let text = csv(&["a", "b", "c", "d", "e", "f"], false, &[(&[], vec![logs])]);
        let expected = values.map(|(_, _, written)| written).join(",");
        assert_eq!(text, format!("a,b,c,d,e,f\r\n{expected}\r\n"));
    }

    #[test]
    fn fields_that_come_later_are_not_lost() {
        let first = (&["a", "__time__"][..], vec![row(&[("a", "1"), ("__time__", "5")])]);
        let later = (&["b", "__time__"][..], vec![row(&[("b", "2"), ("__time__", "6")])]);
        let text = csv(&[], false, &[first.clone(), later.clone()]);
        assert_eq!(text, "__time__,a,__others__\r\n5,1,\r\n6,,\"{\"\"b\"\":\"\"2\"\"}\"\r\n");
        assert_eq!(csv(&["b"], false, &[first, later]), "__time__,b\r\n5,\r\n6,2\r\n");
    }

    #[test]
    fn rows_of_sql_have_its_columns_only() {
        let answer = (&["n"][..], vec![row(&[("n", "3"), ("__time__", "5"), ("__source__", "")])]);
        assert_eq!(csv(&[], true, &[answer]), "n\r\n3\r\n");
        assert_eq!(csv(&[], true, &[(&["n"][..], Vec::new())]), "n\r\n");
    }
}
