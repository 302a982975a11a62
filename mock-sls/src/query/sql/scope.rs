//! Which names an expression can use, and what they stand for.

use sqlparser::ast::Ident;

use super::{SqlError, error::At, parse::at, types::Type};

/// A column that an expression can name.
#[derive(Debug, Clone)]
pub struct ScopeColumn {
    /// Name as declared.
    pub name: String,
    /// Second name.
    pub alias: Option<String>,
    /// Type.
    pub ty: Type,
    /// Name of the column in SQLite.
    pub sql: String,
    /// Position in the table `log`, for columns of that.
    pub log_column: Option<usize>,
}

/// A table, subquery or `with` query in FROM.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Name that qualifies its columns.
    pub name: Option<String>,
    /// Name in SQLite.
    pub sql: String,
    /// Its columns.
    pub columns: Vec<ScopeColumn>,
}

/// The relations of one SELECT, and of those around it.
#[derive(Debug, Clone, Default)]
pub struct Scope<'o> {
    /// In the order of FROM.
    pub relations: Vec<Relation>,
    /// For `compare`: the subquery of FROM over the logs of earlier times, one per time, with how
    /// many seconds earlier they are.
    pub earlier: Vec<(Relation, i64)>,
    /// The SELECT that this one stands in.
    pub outer: Option<&'o Scope<'o>>,
}

/// A resolved name.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'s> {
    /// Where the column belongs.
    pub relation: &'s Relation,
    /// The column.
    pub column: &'s ScopeColumn,
    /// Whether it belongs to an outer SELECT.
    pub outer: bool,
}

impl Scope<'_> {
    /// The column called `name`, perhaps qualified. Case does not matter unless columns differ
    /// in nothing else.
    pub fn resolve(&self, qualifier: Option<&Ident>, name: &Ident) -> Result<Resolved<'_>, SqlError> {
        let found = self.find(qualifier, name)?;
        found.ok_or_else(|| SqlError::ColumnNotExists {
            at: at(name.span.start),
            name: match qualifier {
                Some(qualifier) => format!("{}.{}", qualifier.value, name.value),
                None => name.value.clone(),
            },
            quoted: name.quote_style.is_some(),
        })
    }

    /// As [`Self::resolve`], nothing when there is no such column.
    pub fn find(&self, qualifier: Option<&Ident>, name: &Ident) -> Result<Option<Resolved<'_>>, SqlError> {
        let same: [fn(&str, &str) -> bool; 2] = [|a, b| a == b, str::eq_ignore_ascii_case];
        for same in same {
            let found = self.matching(qualifier, |known| same(known, &name.value));
            match found.as_slice() {
                [] => {}
                [one] => return Ok(Some(*one)),
                several => return Err(ambiguous(at(name.span.start), &name.value, several)),
            }
        }
        match self.outer {
            Some(outer) => {
                Ok(outer.find(qualifier, name)?.map(|resolved| Resolved { outer: true, ..resolved }))
            }
            None => Ok(None),
        }
    }

    fn matching(&self, qualifier: Option<&Ident>, same: impl Fn(&str) -> bool) -> Vec<Resolved<'_>> {
        let wanted = |relation: &&Relation| match (qualifier, &relation.name) {
            (None, _) => true,
            (Some(qualifier), Some(name)) => name.eq_ignore_ascii_case(&qualifier.value),
            (Some(_), None) => false,
        };
        let mut found = Vec::new();
        for relation in self.relations.iter().filter(wanted) {
            let named =
                |column: &&ScopeColumn| same(&column.name) || column.alias.as_deref().is_some_and(&same);
            let columns = relation.columns.iter().filter(named);
            found.extend(columns.map(|column| Resolved { relation, column, outer: false }));
        }
        found
    }
}

/// Two columns of the logs have one name where an alias of the index says so.
/// Text of that: document "SQL error center".
fn ambiguous(at: At, name: &str, found: &[Resolved<'_>]) -> SqlError {
    let tables: std::collections::HashSet<&str> =
        found.iter().map(|found| found.relation.sql.as_str()).collect();
    let of_logs = found.iter().all(|found| found.column.log_column.is_some());
    match tables.len() == 1 && of_logs {
        true => SqlError::semantic(at, format!("duplicate column conflicts: {name}")),
        false => SqlError::semantic(at, format!("Column '{name}' is ambiguous")),
    }
}
