//! Tables that a statement can join besides its logs: files of comma separated values that were
//! uploaded as external stores, and the logs of another Logstore of the project.
//! Source: documents "Associate Log Service with a CSV file" and "JOIN syntax", the SDKs'
//! `CsvExternalStore`.

use std::io::Read;

use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::read::{GzDecoder, ZlibDecoder};
use rusqlite::{Connection, types::Value};
use serde_json::Value as Json;

use super::{
    SqlError,
    execute::{Generations, MEMORY_BYTES_MAX, has},
    frame, schema,
    schema::Schema,
    types::Type,
};
use crate::query::{
    QueryError,
    expr::{SearchExpr, parse_double},
    log_view::LogView,
    matcher::Options,
    request::Window,
    search::{Flow, Scan, Search, Visitor},
    source::{Block, Cancel, Indexes, LogSource, Order},
    spl::csv_row,
};

/// Size of a file, bytes. Source: the SDKs' `MAX_FILE_SIZE`.
const FILE_BYTES_MAX: u64 = 50 * 1024 * 1024;

/// Around values that have commas or line breaks.
const QUOTE: char = '"';

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalTable {
    /// Name in FROM.
    pub name: String,
    /// Names and types of its columns.
    pub columns: Vec<(String, Type)>,
    rows: Vec<Vec<Value>>,
}

impl ExternalTable {
    /// The table of an external store of type `csv`, from its document.
    ///
    /// # Errors
    /// Other types, whose data lie elsewhere, and what is wrong with the document.
    pub fn of_document(name: &str, document: &Json) -> Result<Self, SqlError> {
        let kind = document.get("storeType").and_then(Json::as_str).unwrap_or_default();
        match kind {
            "csv" => Self::of_csv(name, document).map_err(SqlError::Execution),
            other => Err(SqlError::Unsupported(format!("the external store {name} of type {other}"))),
        }
    }

    /// The logs of another Logstore as its table.
    ///
    /// # Errors
    /// They cannot be read, or are too many.
    pub fn of_logs(
        name: &str,
        indexes: &Indexes,
        source: &mut dyn LogSource,
        window: Window,
        cancel: &Cancel,
    ) -> Result<Self, QueryError> {
        let schema = Schema::new(&indexes.current);
        let all: Vec<usize> = (0..schema.columns.len()).collect();
        let generations = Generations::of(indexes, &schema, &all);
        let mut reader = Reader { schema: &schema, generations, rows: Vec::new(), bytes: 0 };
        let search = Search::new(&SearchExpr::All, indexes, Options::default())?;
        let scan = Scan { window, topic: "", order: Order::OldestFirst };
        search.run(source, &scan, cancel, &mut reader)?;
        let rows = reader.rows;
        let columns = schema.columns.iter().map(|column| (column.name.clone(), column.ty.clone()));
        Ok(Self { name: name.to_owned(), columns: columns.collect(), rows })
    }

    fn of_csv(name: &str, document: &Json) -> Result<Self, String> {
        let parameter = document.get("parameter").unwrap_or(&Json::Null);
        let columns = parameter.get("columns").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let column = |column: &Json| {
            let name = column.get("name").and_then(Json::as_str)?.to_owned();
            let ty = match column.get("type").and_then(Json::as_str)?.to_ascii_lowercase().as_str() {
                "bigint" | "long" | "int" | "integer" => Type::Bigint,
                "double" | "float" | "real" => Type::Double,
                _ => Type::Varchar,
            };
            Some((name, ty))
        };
        let columns: Option<Vec<(String, Type)>> = columns.iter().map(column).collect();
        let columns = columns.filter(|columns| !columns.is_empty());
        let columns = columns.ok_or_else(|| format!("the external store {name} has no columns"))?;
        let encoded = parameter.get("externalStoreCsv").and_then(Json::as_str).unwrap_or_default();
        let text = unpacked(encoded).map_err(|error| format!("the external store {name}: {error}"))?;
        let mut rows: Vec<Vec<String>> = records(&text).collect();
        // A first line that names the columns is no row.
        let header = |row: &Vec<String>| {
            row.len() == columns.len() && row.iter().zip(&columns).all(|(cell, (name, _))| cell == name)
        };
        if rows.first().is_some_and(header) {
            rows.remove(0);
        }
        let cells = |row: Vec<String>| {
            let mut row = row.into_iter();
            columns.iter().map(|(_, ty)| row.next().map_or(Value::Null, |text| cell(&text, ty))).collect()
        };
        let rows = rows.into_iter().map(cells).collect();
        Ok(Self { name: name.to_owned(), columns, rows })
    }

    /// Makes the table known to a database as `sql`.
    pub(super) fn create(&self, db: &Connection, sql: &str) -> rusqlite::Result<()> {
        // SQLite has no table without columns; a Logstore whose index has none still has logs to count.
        let names: Vec<String> = (0..self.columns.len().max(1)).map(|index| format!("c{index}")).collect();
        let values = vec!["?"; names.len()].join(", ");
        db.execute_batch(&format!("CREATE TABLE {sql} ({})", names.join(", ")))?;
        let mut insert = db.prepare(&format!("INSERT INTO {sql} VALUES ({values})"))?;
        for row in &self.rows {
            for (index, value) in row.iter().enumerate() {
                insert.raw_bind_parameter(index + 1, value)?;
            }
            insert.raw_execute()?;
        }
        Ok(())
    }
}

/// Takes the logs of a Logstore into rows.
struct Reader<'s> {
    schema: &'s Schema,
    /// What earlier indexes had of all columns.
    generations: Generations,
    rows: Vec<Vec<Value>>,
    bytes: u64,
}

impl Visitor for Reader<'_> {
    fn found(&mut self, block: &Block, _: usize, log: &LogView<'_>) -> Flow {
        let had = self.generations.had(block.index_generation);
        let row = self.schema.columns.iter().enumerate().map(|(index, column)| {
            match has(had, index) {
                true => match self.schema.value(column, log) {
                    schema::Value::Null => Value::Null,
                    schema::Value::Long(n) => Value::Integer(n),
                    schema::Value::Double(x) => Value::Real(x),
                    schema::Value::Text(text) => Value::Text(text.into_owned()),
                },
                // As with the logs of the query itself.
                false => Value::Null,
            }
        });
        let row: Vec<Value> = row.collect();
        self.bytes += row.iter().map(frame::value_bytes).sum::<u64>();
        self.rows.push(row);
        match self.bytes <= MEMORY_BYTES_MAX {
            true => Flow::Continue(()),
            false => Flow::Break(Some(SqlError::too_much_memory(MEMORY_BYTES_MAX).into())),
        }
    }
}

/// The rows of a file: a value in quotes may go on in the next line. Lines of nothing are none.
fn records(text: &str) -> impl Iterator<Item = Vec<String>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while let Some(behind) = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")) {
            rest = behind;
        }
        if matches!(rest, "" | "\r") {
            return None;
        }
        let (values, behind) = csv_row(rest, ",", QUOTE, Some('\n'));
        rest = behind;
        Some(values)
    })
}

fn cell(text: &str, ty: &Type) -> Value {
    match ty {
        Type::Bigint => text.trim().parse().map_or(Value::Null, Value::Integer),
        Type::Double => parse_double(text.trim()).map_or(Value::Null, Value::Real),
        _ => Value::Text(text.to_owned()),
    }
}

/// The file: in base64, compressed with gzip (Java) or zlib (Python), or as it is.
fn unpacked(encoded: &str) -> Result<String, String> {
    let bytes = match BASE64_STANDARD.decode(encoded) {
        Ok(bytes) => bytes,
        Err(_) => return Ok(encoded.to_owned()),
    };
    let mut text = Vec::new();
    let read = match bytes.as_slice() {
        [0x1f, 0x8b, ..] => GzDecoder::new(&*bytes).take(FILE_BYTES_MAX + 1).read_to_end(&mut text),
        [0x78, ..] => ZlibDecoder::new(&*bytes).take(FILE_BYTES_MAX + 1).read_to_end(&mut text),
        _ => {
            text = bytes;
            Ok(text.len())
        }
    };
    match read {
        Err(error) => Err(format!("its file cannot be unpacked: {error}")),
        Ok(size) if size as u64 > FILE_BYTES_MAX => {
            Err(format!("its file has more than {FILE_BYTES_MAX} bytes"))
        }
        Ok(_) => Ok(String::from_utf8_lossy(&text).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_in_quotes_may_have_line_breaks() {
        for (text, expected) in [
            ("a,\"b\nc\"\r\nd,e\n", &[&["a", "b\nc"][..], &["d", "e"]][..]),
            ("\"x\"\"\n\"\"y\"z\n\n1", &[&["x\"\n\"yz"], &["1"]]),
            ("5\" tall\nb", &[&["5\" tall"], &["b"]]),
            ("a\n\"open\nb", &[&["a"], &["open\nb"]]),
            ("\"\"\n\r\n\"a\r\"", &[&[""], &["a\r"]]),
            ("", &[]),
        ] {
            assert_eq!(records(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
        let document = json!({"storeType": "csv", "parameter": {"externalStoreCsv": "1,\"a\nb\"\n2,c", "columns": [
            {"name": "id", "type": "bigint"}, {"name": "name", "type": "varchar"}]}});
        let table = ExternalTable::of_document("t", &document).unwrap();
        let row = |id, name: &str| vec![Value::Integer(id), Value::Text(name.to_owned())];
        assert_eq!(table.rows, [row(1, "a\nb"), row(2, "c")]);
    }

    #[test]
    fn the_sdks_file_is_a_table() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"id,name\n1,\"a, b\"\nx,c\n").unwrap();
        let packed = BASE64_STANDARD.encode(encoder.finish().unwrap());
        for (text, expected) in [(packed.as_str(), 2), ("id,name\n1,a", 1), ("", 0)] {
            let document = json!({"storeType": "csv", "parameter": {"externalStoreCsv": text, "columns": [
                {"name": "id", "type": "bigint"}, {"name": "name", "type": "varchar"}]}});
            let table = ExternalTable::of_document("t", &document).unwrap();
            assert_eq!(table.columns[0], ("id".to_owned(), Type::Bigint));
            assert_eq!(table.rows.len(), expected, "{text}");
        }
        for store_type in ["oss", "csv"] {
            assert!(ExternalTable::of_document("t", &json!({"storeType": store_type})).is_err());
        }
    }
}
