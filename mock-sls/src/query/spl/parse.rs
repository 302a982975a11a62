//! The text of a pipeline to its commands.

use regex::Regex;
use sqlparser::ast::{Expr, OrderByExpr};

use super::{
    COMMANDS_MAX, PIPELINE_BYTES_MAX, SplError,
    arguments::{Arguments, Word},
    extract::JsonPath,
};
use crate::query::sql::{Assignments, parse_assignments, parse_condition, parse_terms};

/// One command.
#[derive(Debug, Clone)]
pub enum Command {
    /// Keeps rows.
    Where(Box<Expr>),
    /// Sets fields.
    Extend(Vec<(String, Expr)>),
    /// Keeps fields, and renames some.
    Project(Vec<Projected>),
    /// Drops fields.
    ProjectAway(Vec<Pattern>),
    /// Renames fields: new and old name.
    ProjectRename(Vec<(String, String)>),
    /// Takes an object apart.
    ParseJson(Parsed, Option<JsonPath>),
    /// Takes a text apart, one output per group.
    ParseRegexp { field: String, regex: Regex, outputs: Vec<String> },
    /// Takes a line of values apart.
    ParseCsv { field: String, delimiter: String, quote: char, strict: bool, outputs: Vec<String> },
    /// Takes names and values apart.
    ParseKv(Parsed, KeyValues),
    /// Makes a row of every element.
    ExpandValues { field: String, path: Option<JsonPath>, limit: usize, keep: bool, output: String },
    /// Keeps some rows.
    Limit { offset: usize, rows: usize },
    /// Orders rows.
    Sort(Vec<OrderByExpr>),
    /// Makes groups of rows.
    Stats { outputs: Vec<(String, Expr)>, keys: Vec<Expr> },
}

/// A member of `project`.
#[derive(Debug, Clone)]
pub enum Projected {
    /// A field or pattern.
    Kept(Pattern),
    /// `new = old`.
    Renamed { new: String, old: String },
}

/// A field name, or with `*` several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// A field that is taken apart into fields of its own naming.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The field.
    pub field: String,
    /// Put before the name of every new field.
    pub prefix: String,
    /// Whether a field that is there already keeps its value.
    pub preserve: bool,
}

/// How names and values are written.
#[derive(Debug, Clone)]
pub enum KeyValues {
    /// With something between the pairs and something inside of them.
    Delimited { between: String, inside: String },
    /// Two groups of an expression.
    Regex(Regex),
}

impl Pattern {
    /// Whether it has a `*`.
    pub fn is_wild(&self) -> bool {
        self.0.contains('*')
    }

    /// The name itself.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether a field is meant; case does not matter.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.to_lowercase(), name.to_lowercase());
        let mut pieces = pattern.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let mut pieces: Vec<&str> = pieces.collect();
        let Some(last) = pieces.pop() else { return rest.is_empty() };
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// A command with the word that begins it.
#[derive(Debug, Clone)]
pub struct Stage {
    pub name: &'static str,
    pub command: Command,
}

/// Reads what stands behind the name of a command.
type Reader = fn(&str) -> Result<Command, String>;

/// The commands. Source: document "SPL instructions".
const COMMANDS: [(&str, Reader); 13] = [
    ("where", condition),
    ("extend", extend),
    ("project", project),
    ("project-away", project_away),
    ("project-rename", project_rename),
    ("parse-json", parse_json),
    ("parse-regexp", parse_regexp),
    ("parse-csv", parse_csv),
    ("parse-kv", parse_kv),
    ("expand-values", expand_values),
    ("limit", limit),
    ("sort", sort),
    ("stats", stats),
];

/// Whether a pipeline can begin with this word.
pub fn is_command(word: &str) -> bool {
    COMMANDS.iter().any(|(name, _)| *name == word)
}

/// The commands of a pipeline, without the `|` before the first.
pub fn pipeline(text: &str) -> Result<Vec<Stage>, SplError> {
    let stages = stages(text);
    if text.len() > PIPELINE_BYTES_MAX || stages.len() > COMMANDS_MAX {
        return Err(SplError::TooLong);
    }
    let numbered = stages.into_iter().enumerate();
    numbered
        .map(|(index, stage)| {
            let stage = stage.trim();
            let (name, rest) = stage.split_at(stage.find(char::is_whitespace).unwrap_or(stage.len()));
            command(name, rest.trim()).map_err(|message| SplError::Syntax {
                number: index + 1,
                command: name.to_owned(),
                message,
            })
        })
        .collect()
}

/// Cuts at every `|` that is not `||` and stands outside of quotes; comments are left out.
fn stages(text: &str) -> Vec<String> {
    let mut stages = vec![String::new()];
    let mut chars = text.trim_end_matches([';', ' ', '\t', '\r', '\n']).chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('-', None)
                if chars.peek() == Some(&'-')
                    && stages.last().is_none_or(|it| it.ends_with(char::is_whitespace)) =>
            {
                for skipped in chars.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
                continue;
            }
            ('|', None) if chars.peek() == Some(&'|') => {
                chars.next();
                stages.last_mut().into_iter().for_each(|stage| stage.push_str("||"));
                continue;
            }
            ('|', None) => {
                stages.push(String::new());
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        stages.last_mut().into_iter().for_each(|stage| stage.push(c));
    }
    stages
}

fn command(name: &str, text: &str) -> Result<Stage, String> {
    match COMMANDS.iter().find(|(known, _)| *known == name) {
        Some((name, read)) => Ok(Stage { name, command: read(text)? }),
        None => Err(format!("{name} is not a command of this emulator")),
    }
}

fn condition(text: &str) -> Result<Command, String> {
    parse_condition(text).map(|expr| Command::Where(Box::new(expr))).map_err(|error| error.to_string())
}

fn extend(text: &str) -> Result<Command, String> {
    match parse_assignments(text).map_err(|error| error.to_string())? {
        Assignments { assignments, keys } if keys.is_empty() => Ok(Command::Extend(assignments)),
        _ => Err("BY is for stats".to_owned()),
    }
}

fn stats(text: &str) -> Result<Command, String> {
    let Assignments { assignments, keys } = parse_assignments(text).map_err(|error| error.to_string())?;
    Ok(Command::Stats { outputs: assignments, keys })
}

fn sort(text: &str) -> Result<Command, String> {
    parse_terms(text).map(Command::Sort).map_err(|error| error.to_string())
}

fn project_away(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?.only(&["wildcard"])?;
    let patterns = arguments.listed.iter().map(|words| match words.as_slice() {
        [Word::Bare(name) | Word::Quoted(name)] => Ok(Pattern(name.clone())),
        _ => Err("expected the name of a field".to_owned()),
    });
    Ok(Command::ProjectAway(patterns.collect::<Result<_, _>>()?))
}

fn project_rename(text: &str) -> Result<Command, String> {
    let renamed = Arguments::of(text)?.only(&[])?;
    let pairs = renamed.listed.iter().map(|words| match words.as_slice() {
        [Word::Bare(new) | Word::Quoted(new), Word::Symbol('='), Word::Bare(old) | Word::Quoted(old)] => {
            Ok((new.clone(), old.clone()))
        }
        _ => Err("expected new=old".to_owned()),
    });
    Ok(Command::ProjectRename(pairs.collect::<Result<_, _>>()?))
}

fn parse_json(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?.only(&["mode", "path", "prefix"])?;
    let [words] = arguments.listed.as_slice() else { return Err("expected one field".to_owned()) };
    let path = arguments.option("path").map(|path| JsonPath::parse(path).map_err(|error| error.to_string()));
    Ok(Command::ParseJson(arguments.parsed(words)?, path.transpose()?))
}

fn limit(text: &str) -> Result<Command, String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([rows]) => Ok(Command::Limit { offset: 0, rows: *rows }),
        Some([offset, rows]) => Ok(Command::Limit { offset: *offset, rows: *rows }),
        _ => Err("expected a number of rows, or rows to skip and a number".to_owned()),
    }
}

fn project(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?;
    let members = arguments.listed.iter().map(|words| match words.as_slice() {
        [Word::Bare(name) | Word::Quoted(name)] => Ok(Projected::Kept(Pattern(name.clone()))),
        [Word::Bare(new) | Word::Quoted(new), Word::Symbol('='), Word::Bare(old) | Word::Quoted(old)] => {
            Ok(Projected::Renamed { new: new.clone(), old: old.clone() })
        }
        _ => Err("expected the name of a field, or new=old".to_owned()),
    });
    let members: Vec<Projected> = members.collect::<Result<_, _>>()?;
    match members.is_empty() {
        true => Err("expected the name of a field".to_owned()),
        false => Ok(Command::Project(members)),
    }
}

fn parse_regexp(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?.only(&[])?;
    // field, 'pattern' as a, b
    let (head, mut outputs) = arguments.outputs()?;
    let [[Word::Bare(field) | Word::Quoted(field)], [Word::Text(pattern)]] =
        [head.first().map_or(&[][..], Vec::as_slice), head.get(1).map_or(&[][..], Vec::as_slice)]
    else {
        return Err("expected a field, a pattern in single quotes, and AS with names".to_owned());
    };
    let regex = compiled(pattern)?;
    if outputs.is_empty() {
        outputs = regex.capture_names().flatten().map(str::to_owned).collect();
    }
    match outputs.len() < regex.captures_len() && !outputs.is_empty() {
        true => Ok(Command::ParseRegexp { field: field.clone(), regex, outputs }),
        false => {
            Err(format!("the pattern has {} groups for {} names", regex.captures_len() - 1, outputs.len()))
        }
    }
}

fn parse_csv(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?.only(&["delim", "quote", "strict"])?;
    let (head, outputs) = arguments.outputs()?;
    let [words] = head.as_slice() else { return Err("expected one field, and AS with names".to_owned()) };
    let [Word::Bare(field) | Word::Quoted(field)] = words.as_slice() else {
        return Err("expected one field, and AS with names".to_owned());
    };
    let delimiter = arguments.option("delim").map_or(",".to_owned(), unescaped);
    let quote = arguments.option("quote").map_or("\"".to_owned(), unescaped);
    let (Some(quote), false, false) = (quote.chars().next(), delimiter.is_empty(), outputs.is_empty()) else {
        return Err("expected a delimiter, a quote, and AS with names".to_owned());
    };
    let strict = arguments.has("strict");
    Ok(Command::ParseCsv { field: field.clone(), delimiter, quote, strict, outputs })
}

fn parse_kv(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?.only(&["mode", "prefix", "regexp"])?;
    let [field, rest @ ..] = arguments.listed.as_slice() else { return Err("expected a field".to_owned()) };
    let texts: Vec<&String> = rest
        .iter()
        .filter_map(|words| match words.as_slice() {
            [Word::Text(text) | Word::Bare(text) | Word::Quoted(text)] => Some(text),
            _ => None,
        })
        .collect();
    let pairs = match (arguments.has("regexp"), texts.as_slice()) {
        (true, [pattern]) => {
            let regex = compiled(pattern)?;
            if regex.captures_len() < 3 {
                return Err("expected a pattern with a group for the name and one for the value".to_owned());
            }
            KeyValues::Regex(regex)
        }
        (false, [between, inside]) if !between.is_empty() && !inside.is_empty() => {
            KeyValues::Delimited { between: unescaped(between), inside: unescaped(inside) }
        }
        _ => {
            return Err(
                "expected a field, the delimiter of pairs and that of name and value, or -regexp, a field \
                        and a pattern"
                    .to_owned(),
            );
        }
    };
    Ok(Command::ParseKv(arguments.parsed(field)?, pairs))
}

fn expand_values(text: &str) -> Result<Command, String> {
    let arguments = Arguments::of(text)?.only(&["path", "limit", "keep"])?;
    let (head, outputs) = arguments.outputs()?;
    let [words] = head.as_slice() else { return Err("expected one field".to_owned()) };
    let [Word::Bare(field) | Word::Quoted(field)] = words.as_slice() else {
        return Err("expected one field".to_owned());
    };
    let path = arguments.option("path").map(|path| JsonPath::parse(path).map_err(|error| error.to_string()));
    let limit = match arguments.option("limit") {
        None => EXPANDED_MAX,
        Some(limit) => {
            let limit = limit.parse().ok().filter(|limit| (1..=EXPANDED_MAX).contains(limit));
            limit.ok_or_else(|| format!("-limit must be 1 to {EXPANDED_MAX}"))?
        }
    };
    let output = outputs.into_iter().next().unwrap_or_else(|| field.clone());
    Ok(Command::ExpandValues {
        field: field.clone(),
        path: path.transpose()?,
        limit,
        keep: arguments.has("keep"),
        output,
    })
}

/// Rows that one row becomes. Source: document "SPL instructions" (limit 1 to 10).
const EXPANDED_MAX: usize = 10;

fn compiled(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("the regular expression {pattern} is not valid: {reason}")
    })
}

/// `\t`, `\n`, `\11` (octal) and `\x09` stand for characters. Source: document "SPL instructions".
fn unescaped(text: &str) -> String {
    let Some(escape) = text.strip_prefix('\\') else { return text.to_owned() };
    let code = match escape.strip_prefix('x') {
        Some(hex) => u8::from_str_radix(hex, 16).ok(),
        None => u8::from_str_radix(escape, 8).ok(),
    };
    match (escape, code) {
        ("t", _) => "\t".to_owned(),
        ("n", _) => "\n".to_owned(),
        ("r", _) => "\r".to_owned(),
        (_, Some(code)) => char::from(code).to_string(),
        _ => escape.to_owned(),
    }
}
