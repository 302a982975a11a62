//! A search as text that parses to the same tree. Every text is written with its first character escaped or in
//! quotes, so that none is taken for a keyword.

use mock_sls::fuzzing::expr::{Bound, Glyph, Number, Range, SearchExpr, Test, Text};

/// The text of a search.
pub fn search(expr: &SearchExpr) -> String {
    match expr {
        SearchExpr::All => "*".to_owned(),
        SearchExpr::Or(parts) => joined(parts, " or ", |part| matches!(part, SearchExpr::Or(_))),
        SearchExpr::And(parts) => {
            joined(parts, " and ", |part| matches!(part, SearchExpr::Or(_) | SearchExpr::And(_)))
        }
        SearchExpr::Not(part) if matches!(**part, SearchExpr::Or(_) | SearchExpr::And(_)) => {
            format!("not ({})", search(part))
        }
        SearchExpr::Not(part) => format!("not {}", search(part)),
        SearchExpr::FullText(sought) => text(sought),
        SearchExpr::Field(key, test) => field(key.as_str(), test),
    }
}

fn joined(parts: &[SearchExpr], join: &str, in_parentheses: fn(&SearchExpr) -> bool) -> String {
    let part = |part| match in_parentheses(part) {
        true => format!("({})", search(part)),
        false => search(part),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(join)
}

fn field(key: &str, test: &Test) -> String {
    let key = match key.strip_prefix("__tag__:") {
        Some(tag) => format!("__tag__:{}", quoted(tag)),
        None => quoted(key),
    };
    match test {
        Test::Present => format!("{key}:*"),
        Test::Empty => format!("{key}:\"\""),
        Test::Text(sought) => format!("{key}:{}", text(sought)),
        Test::Within(range) => format!("{key} in {}", numbers(range)),
    }
}

fn text(text: &Text) -> String {
    match text {
        Text::Bare(glyphs) => glyphs.iter().map(glyph).collect(),
        Text::Quoted(text) => quoted(text),
        Text::Phrase(text) => format!("#{}", quoted(text)),
    }
}

fn glyph(glyph: &Glyph) -> String {
    match glyph {
        Glyph::Char(c) => format!("\\{c}"),
        Glyph::AnyOne => "?".to_owned(),
        Glyph::AnyRun => "*".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn numbers(range: &Range) -> String {
    let open = if matches!(range.low, Bound::Exclusive(_)) { '(' } else { '[' };
    let close = if matches!(range.high, Bound::Inclusive(_)) { ']' } else { ')' };
    format!("{open}{} {}{close}", bound(&range.low), bound(&range.high))
}

fn bound(bound: &Bound) -> String {
    match bound {
        Bound::Open => "*".to_owned(),
        Bound::Inclusive(Number::Long(n)) | Bound::Exclusive(Number::Long(n)) => n.to_string(),
        Bound::Inclusive(Number::Double(x)) | Bound::Exclusive(Number::Double(x)) => format!("{x:?}"),
    }
}
