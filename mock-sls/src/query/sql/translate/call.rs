//! Calls of functions, scalar, aggregate and over windows.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, WindowFrame,
    WindowFrameBound, WindowType,
};

use super::{Context, Mode, Translator, compare, expr::same_type, select::direction, unsupported};
use crate::query::sql::{
    SqlError,
    error::At,
    functions::{self, Kind},
    parse::name_start,
    types::{Type, Typed},
};

impl Translator<'_> {
    pub(super) fn call(&mut self, function: &Function, context: Context<'_>) -> Result<Typed, SqlError> {
        let place = name_start(&function.name);
        let name = function.name.to_string().to_lowercase();
        let name = name.trim_matches('"');
        let arguments = Arguments::of(function)?;
        if name == compare::NAME {
            return self.compared_value(&arguments.exprs, place, context);
        }
        let over = match &function.over {
            None => None,
            Some(window) => Some(self.window(window, context)?),
        };
        let kind = functions::kind(name)
            .ok_or_else(|| SqlError::FunctionNotRegistered { at: place, name: name.to_owned() })?;
        let aggregate = kind == Kind::Aggregate && over.is_none();
        if aggregate && context.mode == Mode::Rows {
            let message = format!(
                "aggregate function {name} is not allowed here (WHERE, GROUP BY, JOIN or another aggregate)"
            );
            return Err(SqlError::semantic(place, message));
        }
        if kind == Kind::Window && over.is_none() {
            return Err(SqlError::semantic(place, format!("window function {name} needs OVER (…)")));
        }
        self.saw_aggregate |= aggregate;
        // The rows that an aggregate takes are those before grouping.
        let inner = if aggregate { context.with_mode(Mode::Rows) } else { context };
        let lenient = self.lenient;
        self.lenient |= name == "try";
        let args = arguments.exprs.iter().map(|arg| self.expr(arg, inner)).collect::<Result<Vec<_>, _>>();
        self.lenient = lenient;
        let args = args?;
        let call = match (arguments.wildcard, arguments.distinct) {
            (true, _) if name == "count" => Typed::new(Type::Bigint, "count(*)"),
            (true, _) => return Err(SqlError::semantic(place, format!("{name}(*) is not a function"))),
            (false, true) => functions::call_distinct(name, &args, place)?,
            (false, false) => self.simple_call(name, args, place)?,
        };
        let filter = match &function.filter {
            None => String::new(),
            Some(condition) if aggregate => {
                format!(" FILTER (WHERE {})", self.condition(condition, inner, "FILTER clause")?.sql)
            }
            Some(_) => return Err(unsupported("FILTER without an aggregate")),
        };
        Ok(Typed { sql: format!("{}{filter}{}", call.sql, over.unwrap_or_default()), ..call })
    }

    /// A call that the grammar spells in its own way, like `position(a in b)`.
    pub(super) fn named_call(
        &mut self,
        name: &str,
        args: &[&Expr],
        place: At,
        context: Context<'_>,
    ) -> Result<Typed, SqlError> {
        let args = args.iter().map(|arg| self.expr(arg, context)).collect::<Result<Vec<_>, _>>()?;
        self.simple_call(name, args, place)
    }

    fn simple_call(&mut self, name: &str, args: Vec<Typed>, place: At) -> Result<Typed, SqlError> {
        match (name, args.len()) {
            ("coalesce" | "greatest" | "least", 1..) => {
                let message =
                    |_: &Type| format!("All {} operands must be the same type", name.to_uppercase());
                let single = args.len() == 1;
                let (ty, args) = same_type(args, place, message)?;
                let sqlite = match name {
                    "greatest" => "max",
                    "least" => "min",
                    other => other,
                };
                match single {
                    true => Ok(Typed::new(ty, args.concat())),
                    false => Ok(Typed::new(ty, format!("{sqlite}({})", args.join(", ")))),
                }
            }
            ("if", 2 | 3) => {
                let mut args = args.into_iter();
                let condition = args.next().filter(|condition| condition.ty.is_condition());
                let condition = condition
                    .ok_or_else(|| SqlError::semantic(place, "IF condition must evaluate to a boolean"))?;
                let message = |ty: &Type| format!("Result types for IF must be the same: {ty}");
                let (ty, results) = same_type(args.collect(), place, message)?;
                Ok(Typed::new(ty, format!("iif({}, {})", condition.sql, if_arms(&results))))
            }
            ("concat", 2..) => {
                let texts: Vec<&str> = args.iter().map(|arg| arg.sql.as_str()).collect();
                match args.iter().find(|arg| !matches!(arg.ty, Type::Varchar | Type::Null)) {
                    None => Ok(Typed::new(Type::Varchar, format!("({})", texts.join(" || ")))),
                    Some(_) => Err(functions::unexpected("concat", &args, place)),
                }
            }
            ("now" | "current_timestamp" | "localtimestamp", 0) => {
                Ok(Typed::new(Type::Timestamp, self.session.now.as_millisecond().to_string()))
            }
            ("current_timezone", 0) => Ok(Typed::text(&self.session.zone_name())),
            _ => functions::call(name, &args, place),
        }
    }

    fn window(&mut self, window: &WindowType, context: Context<'_>) -> Result<String, SqlError> {
        let WindowType::WindowSpec(spec) = window else {
            return Err(unsupported("a named WINDOW"));
        };
        let mut parts = Vec::new();
        let mut partition = Vec::new();
        for expr in &spec.partition_by {
            partition.push(self.expr(expr, context)?.sql);
        }
        if !partition.is_empty() {
            parts.push(format!("PARTITION BY {}", partition.join(", ")));
        }
        let mut order = Vec::new();
        for term in &spec.order_by {
            order.push(format!("{}{}", self.expr(&term.expr, context)?.sql, direction(term)));
        }
        if !order.is_empty() {
            parts.push(format!("ORDER BY {}", order.join(", ")));
        }
        parts.extend(spec.window_frame.as_ref().map(frame).transpose()?);
        Ok(format!(" OVER ({})", parts.join(" ")))
    }
}

fn if_arms(results: &[String]) -> String {
    match results {
        [single] => format!("{single}, NULL"),
        several => several.join(", "),
    }
}

fn frame(frame: &WindowFrame) -> Result<String, SqlError> {
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows))
            if !matches!(**rows, Expr::Value(_)) =>
        {
            Err(unsupported("a window frame of computed size"))
        }
        simple => Ok(simple.to_string()),
    };
    let start = bound(&frame.start_bound)?;
    match &frame.end_bound {
        None => Ok(format!("{} {start}", frame.units)),
        Some(end) => Ok(format!("{} BETWEEN {start} AND {}", frame.units, bound(end)?)),
    }
}

/// The arguments of a call, without the forms that are not supported.
struct Arguments<'f> {
    exprs: Vec<&'f Expr>,
    wildcard: bool,
    distinct: bool,
}

impl<'f> Arguments<'f> {
    fn of(function: &'f Function) -> Result<Self, SqlError> {
        let mut arguments = Self { exprs: Vec::new(), wildcard: false, distinct: false };
        let list = match &function.args {
            FunctionArguments::None => return Ok(arguments),
            FunctionArguments::Subquery(_) => return Err(unsupported("a subquery as argument")),
            FunctionArguments::List(list) => list,
        };
        if !list.clauses.is_empty() {
            return Err(unsupported("a clause inside of a call"));
        }
        arguments.distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.exprs.push(expr),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => arguments.wildcard = true,
                other => return Err(unsupported(&format!("the argument {other}"))),
            }
        }
        Ok(arguments)
    }
}
