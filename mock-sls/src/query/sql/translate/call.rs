//! Calls of functions, scalar, aggregate and over windows.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, OrderByExpr, Value, WindowFrame, WindowFrameBound, WindowType,
};

use super::{
    Clause, Context, Mode, Translator, compare,
    expr::{same_type, zoned},
    select::direction,
    series, unsupported,
};
use crate::query::sql::{
    SqlError,
    error::At,
    functions::{self, Kind, Special},
    parse::name_start,
    types::{Type, Typed},
};

impl Translator<'_> {
    pub(super) fn call(&mut self, function: &Function, context: Context<'_>) -> Result<Typed, SqlError> {
        let place = name_start(&function.name);
        let name = function.name.to_string().to_lowercase();
        let name = name.trim_matches('"');
        let arguments = Arguments::of(function)?;
        if compare::is_name(name) {
            return self.compared_value(&arguments.exprs, place, context);
        }
        if series::is_bucket(name) {
            return self.bucket(&arguments.exprs, context, place);
        }
        if name == "row" && !arguments.exprs.is_empty() {
            let fields: Vec<Expr> = arguments.exprs.iter().map(|expr| (*expr).clone()).collect();
            return self.row(&fields, context);
        }
        if let Some(called) = self.lambda_call(name, &arguments.exprs, place, context)? {
            return Ok(called);
        }
        let over = match &function.over {
            None => None,
            Some(window) => Some(self.window(window, context)?),
        };
        let kind = functions::kind(name)
            .ok_or_else(|| SqlError::FunctionNotRegistered { at: place, name: name.to_owned() })?;
        let aggregate = kind == Kind::Aggregate && over.is_none();
        if let (true, Clause::Named(clause)) = (kind != Kind::Scalar, &self.clause) {
            // Text: document "SQL error center".
            let message =
                format!("{clause} clause cannot contain aggregations or window functions: [{function}]");
            return Err(SqlError::semantic(place, message));
        }
        if aggregate && context.mode == Mode::Rows {
            let message = match &self.clause {
                Clause::Aggregate(outer) => {
                    format!("Cannot nest aggregations inside aggregation '{outer}': [{function}]")
                }
                _ => format!("aggregations are not allowed here: [{function}]"),
            };
            return Err(SqlError::semantic(place, message));
        }
        if kind == Kind::Window && over.is_none() {
            return Err(SqlError::semantic(place, format!("Window function {name} requires OVER clause")));
        }
        self.saw_aggregate |= aggregate;
        self.aggregates |= aggregate;
        // The rows that an aggregate takes are those before grouping.
        let inner = if aggregate { context.with_mode(Mode::Rows) } else { context };
        let clause = if aggregate { Clause::Aggregate(name.to_owned()) } else { self.clause.clone() };
        let lenient = self.lenient;
        self.lenient |= name == "try";
        let args = self.within(clause.clone(), |this| {
            arguments.exprs.iter().map(|arg| this.expr(arg, inner)).collect::<Result<Vec<_>, _>>()
        });
        self.lenient = lenient;
        let args = args?;
        if over.is_some() && (arguments.distinct || !functions::goes_over_windows(name, &args)) {
            return Err(unsupported(&format!("the function {name} over a window")));
        }
        let plain = arguments.order_by.is_empty() && function.filter.is_none();
        let mut call = match kind {
            Kind::Scalar if !arguments.wildcard && !arguments.distinct => {
                self.simple_call(name, args, place)?
            }
            _ => {
                let call = self.listed_call(name, &args, &arguments, place)?;
                match aggregate {
                    true => self.weighed(name, &args, plain, arguments.distinct, call),
                    false => call,
                }
            }
        };
        if !arguments.order_by.is_empty() {
            let mut terms = Vec::new();
            for term in arguments.order_by {
                terms.push(format!("{}{}", self.expr(&term.expr, inner)?.sql, direction(term)));
            }
            let open = call.sql.strip_suffix(')').filter(|_| aggregate);
            let open = open.ok_or_else(|| unsupported("ORDER BY inside of this call"))?;
            call.sql = format!("{open} ORDER BY {})", terms.join(", "));
        }
        let filter = match &function.filter {
            None => String::new(),
            Some(condition) if aggregate => {
                let condition = self.within(clause, |this| this.condition(condition, inner, "FILTER clause"));
                format!(" FILTER (WHERE {})", condition?.sql)
            }
            Some(_) => return Err(unsupported("FILTER without an aggregate")),
        };
        if function.null_treatment.is_some() {
            return Err(unsupported("IGNORE NULLS"));
        }
        Ok(Typed { sql: format!("{}{filter}{}", call.sql, over.unwrap_or_default()), ..call })
    }

    /// A call of a function of the catalog, with all that may stand in its parentheses.
    fn listed_call(
        &self,
        name: &str,
        args: &[Typed],
        arguments: &Arguments<'_>,
        place: At,
    ) -> Result<Typed, SqlError> {
        match (arguments.wildcard, arguments.distinct) {
            (true, _) if name == "count" => Ok(Typed::new(Type::Bigint, "count(*)")),
            (true, _) => Err(SqlError::semantic(place, format!("{name}(*) is not a function"))),
            (false, true) => functions::call_distinct(name, args, place),
            (false, false) => functions::call(name, args, self.lenient, place),
        }
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
        let Some(special) = functions::special(name) else {
            return functions::call(name, &args, self.lenient, place);
        };
        match (special, args.len()) {
            (Special::Coalesce | Special::Greatest | Special::Least, 1..) => {
                let message =
                    |ty: &Type| format!("All {} operands must be the same type: {ty}", name.to_uppercase());
                let single = args.len() == 1;
                let (ty, args) = same_type(args, place, message)?;
                let sqlite = match special {
                    Special::Greatest => "max",
                    Special::Least => "min",
                    _ => "coalesce",
                };
                match single {
                    true => Ok(Typed::new(ty, args.concat())),
                    false => Ok(Typed::new(ty, format!("{sqlite}({})", args.join(", ")))),
                }
            }
            (Special::If, 2 | 3) => {
                let mut args = args.into_iter();
                let condition = args.next().filter(|condition| condition.ty.is_condition());
                let condition = condition
                    .ok_or_else(|| SqlError::semantic(place, "IF condition must evaluate to a boolean"))?;
                let message = |ty: &Type| format!("Result types for IF must be the same: {ty}");
                let (ty, results) = same_type(args.collect(), place, message)?;
                Ok(Typed::new(ty, format!("iif({}, {})", condition.sql, if_arms(&results))))
            }
            (Special::Concat, 2..) => concatenated(args, place),
            (Special::MapConcat, 1..) => {
                let message = |ty: &Type| format!("map_concat needs maps of one type, not {ty}");
                let (ty, maps) = same_type(args, place, message)?;
                Ok(Typed::new(ty, format!("sls_map_concat({})", maps.join(", "))))
            }
            (Special::MapFromEntries | Special::MultimapFromEntries, 1) => {
                let entry = args.first().and_then(|arg| match &arg.ty {
                    Type::Array(entry) => match &**entry {
                        Type::Row(fields) => match fields.as_slice() {
                            [(_, key), (_, value)] => Some((arg.sql.clone(), key.clone(), value.clone())),
                            _ => None,
                        },
                        _ => None,
                    },
                    _ => None,
                });
                let Some((sql, key, value)) = entry else {
                    return Err(functions::unexpected(name, &args, place));
                };
                let value = if special == Special::MapFromEntries { value } else { value.array() };
                Ok(Typed::new(Type::map(key, value), format!("{}({sql})", self.ours(&format!("sls_{name}")))))
            }
            (Special::Zip, 2..) => {
                let mut fields = Vec::new();
                for arg in &args {
                    match &arg.ty {
                        Type::Array(element) => fields.push((None, (**element).clone())),
                        _ => return Err(functions::unexpected(name, &args, place)),
                    }
                }
                let texts: Vec<&str> = args.iter().map(|arg| arg.sql.as_str()).collect();
                Ok(Typed::new(Type::Row(fields).array(), format!("sls_zip({})", texts.join(", "))))
            }
            (Special::FromUnixtime, 1 | 2) => {
                let mut args = args.into_iter();
                let (time, zone) = (args.next(), args.next());
                let sql = match &time {
                    Some(Typed { sql, ty: Type::Bigint | Type::Null }) => format!("({sql} * 1000)"),
                    Some(Typed { sql, ty: Type::Double }) => format!("CAST(round({sql} * 1000) AS INTEGER)"),
                    _ => {
                        let args: Vec<Typed> = time.into_iter().chain(zone).collect();
                        return Err(functions::unexpected(name, &args, place));
                    }
                };
                match zone {
                    None => Ok(Typed::new(Type::Timestamp, sql)),
                    Some(zone) => {
                        let name = zone.literal_text().ok_or_else(|| unsupported("a computed time zone"))?;
                        zoned(sql, name, place)
                    }
                }
            }
            (Special::Now, 0) => {
                let now = self.session.now.as_millisecond().to_string();
                Ok(Typed::new(Type::TimestampTz(String::new()), now))
            }
            (Special::LocalTimestamp, 0) => {
                Ok(Typed::new(Type::Timestamp, self.session.now.as_millisecond().to_string()))
            }
            (Special::CurrentDate, 0) => {
                let sql = format!("sls_start_of_day({})", self.session.now.as_millisecond());
                Ok(Typed::new(Type::Date, sql))
            }
            (Special::CurrentTime | Special::LocalTime, 0) => {
                let time =
                    self.session.now.to_zoned(self.session.zone.clone()).strftime("%H:%M:%S%.3f").to_string();
                match special {
                    Special::LocalTime => Ok(Typed::text(&time)),
                    _ => Ok(Typed::text(&format!("{time} {}", self.session.zone_name()))),
                }
            }
            (Special::CurrentTimezone, 0) => Ok(Typed::text(&self.session.zone_name())),
            _ => Err(functions::unexpected(name, &args, place)),
        }
    }

    fn window(&mut self, window: &WindowType, context: Context<'_>) -> Result<String, SqlError> {
        let WindowType::WindowSpec(spec) = window else {
            return Err(unsupported("a named WINDOW"));
        };
        let mut parts = Vec::new();
        let mut partition = Vec::new();
        for expr in &spec.partition_by {
            partition.push(self.expr(expr, context)?.into_key());
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

/// Texts, or arrays with each other and with elements.
fn concatenated(args: Vec<Typed>, place: At) -> Result<Typed, SqlError> {
    if args.iter().all(|arg| matches!(arg.ty, Type::Varchar | Type::Null)) {
        let texts: Vec<String> = args.into_iter().map(|arg| arg.sql).collect();
        return Ok(Typed::new(Type::Varchar, format!("({})", texts.join(" || "))));
    }
    let inner = |ty: &Type| match ty {
        Type::Array(element) => (**element).clone(),
        other => other.clone(),
    };
    let element = args.iter().try_fold(Type::Null, |element, arg| element.common(&inner(&arg.ty)));
    let Some(element) = element.filter(|_| args.iter().any(|arg| matches!(arg.ty, Type::Array(_)))) else {
        return Err(functions::unexpected("concat", &args, place));
    };
    let (ty, letter) = (element.clone().array(), element.encoding().letter());
    let arrays = args.into_iter().map(|arg| match arg.ty {
        Type::Array(_) => arg.brought_to(&ty),
        _ => format!("sls_array('{letter}', {})", arg.brought_to(&element)),
    });
    let all = arrays.reduce(|all, array| format!("sls_array_concat({all}, {array})"));
    Ok(Typed::new(ty.clone(), all.unwrap_or_default()))
}

fn if_arms(results: &[String]) -> String {
    match results {
        [single] => format!("{single}, NULL"),
        several => several.join(", "),
    }
}

fn frame(frame: &WindowFrame) -> Result<String, SqlError> {
    let is_number =
        |rows: &Expr| matches!(rows, Expr::Value(size) if matches!(size.value, Value::Number(..)));
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows))
            if !is_number(rows) =>
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
    order_by: &'f [OrderByExpr],
}

impl<'f> Arguments<'f> {
    fn of(function: &'f Function) -> Result<Self, SqlError> {
        let mut arguments = Self { exprs: Vec::new(), wildcard: false, distinct: false, order_by: &[] };
        let list = match &function.args {
            FunctionArguments::None => return Ok(arguments),
            FunctionArguments::Subquery(_) => return Err(unsupported("a subquery as argument")),
            FunctionArguments::List(list) => list,
        };
        match list.clauses.as_slice() {
            [] => {}
            [FunctionArgumentClause::OrderBy(terms)] => arguments.order_by = terms,
            _ => return Err(unsupported("a clause inside of a call")),
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
