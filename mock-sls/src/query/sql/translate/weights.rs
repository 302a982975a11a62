//! Statements whose table of logs may have one row for equal logs, with their number as its weight.
//!
//! They read the table once, in a SELECT of its own that groups it, and of the groups they ask only what does not
//! depend on the order of rows: how many there are, sums, bounds, different values. A statement is translated once
//! to see whether it is one of these, and once more if it is.

use sqlparser::ast::{Select, TableFactor};

use super::Translator;
use crate::query::sql::{
    fold::WEIGHT,
    functions,
    types::{Type, Typed},
};

/// Aggregates for which it does not matter how often a row occurs.
const SAME_WITHOUT_WEIGHT: [&str; 8] =
    ["min", "max", "arbitrary", "any_value", "approx_distinct", "bool_and", "every", "bool_or"];

/// What is known of a statement and weights.
#[derive(Debug, Default)]
pub(super) struct Weights {
    /// Whether the table has them.
    pub used: bool,
    /// How often the table of logs is read.
    pub tables: usize,
    /// How often in the FROM of this place.
    pub tables_here: usize,
    /// Whether the SELECT of this place groups the table of logs.
    here: bool,
    /// Whether something was seen that needs a row for each log.
    impossible: bool,
}

impl Weights {
    /// Of a table that has them.
    pub fn used() -> Self {
        Self { used: true, ..Self::default() }
    }
}

impl Translator<'_> {
    /// Whether the statement that was translated means the same with weights.
    pub fn takes_weights(&self) -> bool {
        self.weights.tables == 1 && !self.weights.impossible
    }

    /// What is known at the beginning of a SELECT, to be given back at its end.
    pub(super) fn weights_of_select(&mut self) -> (usize, bool) {
        let Weights { tables_here, here, .. } = self.weights;
        (self.weights.tables_here, self.weights.here) = (0, false);
        (tables_here, here)
    }

    /// Gives back what was known around a SELECT.
    pub(super) fn weights_around(&mut self, (tables_here, here): (usize, bool)) {
        (self.weights.tables_here, self.weights.here) = (tables_here, here);
    }

    /// Takes note of what a SELECT reads.
    pub(super) fn weigh_from(&mut self, select: &Select) {
        let alone = match &select.from[..] {
            [] => true,
            [only] => only.joins.is_empty() && matches!(only.relation, TableFactor::Table { .. }),
            _ => false,
        };
        self.weights.here = self.weights.tables_here == 1;
        self.weights.impossible |= self.weights.tables_here > 0 && !(alone && self.weights.here);
    }

    /// Takes note of whether a SELECT makes groups.
    pub(super) fn weigh_groups(&mut self, grouped: bool) {
        self.weights.impossible |= self.weights.here && !grouped;
    }

    /// The call of an aggregate; `plain` if it takes all rows as they come and has no other clause.
    pub(super) fn weighed(
        &mut self,
        name: &str,
        args: &[Typed],
        plain: bool,
        distinct: bool,
        call: Typed,
    ) -> Typed {
        if !self.weights.here || distinct && matches!(name, "count" | "sum" | "avg") {
            return call;
        }
        let sum = |of: String| format!("coalesce(sum({of}), 0)");
        let sql = match (name, args) {
            _ if SAME_WITHOUT_WEIGHT.contains(&name) && functions::is_builtin(name, args) => return call,
            ("count", []) if plain => sum(WEIGHT.to_owned()),
            ("count", [arg]) if plain => sum(format!("CASE WHEN {} IS NOT NULL THEN {WEIGHT} END", arg.sql)),
            ("count_if", [condition]) if plain => {
                sum(format!("CASE WHEN {} THEN {WEIGHT} END", condition.sql))
            }
            ("sum", [arg]) if plain && arg.ty == Type::Bigint => {
                format!("sum(sls_times({}, {WEIGHT}))", arg.sql)
            }
            ("sum", [arg]) if plain => format!("sum({} * {WEIGHT})", arg.sql),
            ("avg", [arg]) if plain => format!(
                "(sum({0} * CAST({WEIGHT} AS REAL)) / sum(CASE WHEN {0} IS NOT NULL THEN {WEIGHT} END))",
                arg.sql
            ),
            _ => {
                self.weights.impossible = true;
                return call;
            }
        };
        match self.weights.used {
            true => Typed { sql, ..call },
            false => call,
        }
    }
}
