//! A search as people write it, to name parts of it: parsing what is shown gives the same tree.

use std::fmt::{self, Display, Write};

use sls_api::log_group::TAG_PREFIX;

use super::expr::{Bound, Glyph, Number, Range, SearchExpr, Test, Text};

/// Characters that need no quotes in a text. Fewer than the grammar allows: keywords and symbols are none.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

/// Words that mean something else without quotes.
const KEYWORDS: [&str; 4] = ["and", "or", "not", "in"];

impl Display for SearchExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(part) => {
                f.write_str("not ")?;
                nested(f, part)
            }
            Self::FullText(text) => shown(f, text),
            Self::Field(key, test) => {
                key_shown(f, key.as_str())?;
                if !matches!(test, Test::Within(_)) {
                    f.write_char(':')?;
                }
                match test {
                    Test::Present => f.write_char('*'),
                    Test::Empty => f.write_str("\"\""),
                    Test::Text(text) => shown(f, text),
                    Test::Within(range) => within(f, range),
                }
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[SearchExpr], between: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        nested(f, part)?;
    }
    Ok(())
}

fn nested(f: &mut fmt::Formatter<'_>, part: &SearchExpr) -> fmt::Result {
    match part {
        SearchExpr::And(_) | SearchExpr::Or(_) | SearchExpr::Not(_) => write!(f, "({part})"),
        _ => part.fmt(f),
    }
}

fn shown(f: &mut fmt::Formatter<'_>, text: &Text) -> fmt::Result {
    match text {
        Text::Bare(glyphs) => {
            let word = || glyphs.iter().map(Glyph::to_string).collect::<String>().to_lowercase();
            let keyword = KEYWORDS.contains(&word().as_str());
            for (at, glyph) in glyphs.iter().enumerate() {
                match glyph {
                    Glyph::Char(c) if !is_plain(*c) || keyword && at == 0 => write!(f, "\\{c}")?,
                    glyph => glyph.fmt(f)?,
                }
            }
            Ok(())
        }
        Text::Quoted(text) => quoted(f, text),
        Text::Phrase(text) => {
            f.write_char('#')?;
            quoted(f, text)
        }
    }
}

/// A key; what stands behind the colon of a tag may need quotes as well as any other name.
fn key_shown(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    let name = match key.strip_prefix(TAG_PREFIX) {
        Some(name) => {
            f.write_str(TAG_PREFIX)?;
            name
        }
        None => key,
    };
    let plain = !name.is_empty() && name.chars().all(is_plain);
    match plain && !KEYWORDS.contains(&name.to_lowercase().as_str()) {
        true => f.write_str(name),
        false => quoted(f, name),
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

fn within(f: &mut fmt::Formatter<'_>, range: &Range) -> fmt::Result {
    match (range.low, range.high) {
        (Bound::Inclusive(low), Bound::Inclusive(high)) if low == high => write!(f, " = {low}"),
        (Bound::Inclusive(low), Bound::Open) => write!(f, " >= {low}"),
        (Bound::Exclusive(low), Bound::Open) => write!(f, " > {low}"),
        (Bound::Open, Bound::Inclusive(high)) => write!(f, " <= {high}"),
        (Bound::Open, Bound::Exclusive(high)) => write!(f, " < {high}"),
        (low, high) => {
            f.write_str(" in ")?;
            f.write_char(if matches!(low, Bound::Exclusive(_)) { '(' } else { '[' })?;
            number(f, low)?;
            f.write_char(' ')?;
            number(f, high)?;
            f.write_char(if matches!(high, Bound::Exclusive(_)) { ')' } else { ']' })
        }
    }
}

fn number(f: &mut fmt::Formatter<'_>, bound: Bound) -> fmt::Result {
    match bound {
        Bound::Open => f.write_char('*'),
        Bound::Inclusive(number) | Bound::Exclusive(number) => number.fmt(f),
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(whole) => whole.fmt(f),
            // With its point, so that it is read as what it is.
            Self::Double(decimal) => write!(f, "{decimal:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;

    #[test]
    fn what_is_shown_is_the_same_search() {
        for (search, shown) in [
            ("", "*"),
            ("a b", "a and b"),
            ("a and (b or not c)", "a and (b or (not c))"),
            ("status:500", "status:500"),
            ("status : \"a b\"", "status:\"a b\""),
            ("\"a \\\" b\"", "\"a \\\" b\""),
            ("#\"a b\"", "#\"a b\""),
            ("err*", "err*"),
            ("a\\*b", "a\\*b"),
            ("x:*", "x:*"),
            ("x:\"\"", "x:\"\""),
            ("x > 1 and y in [1 2) and z = 5", "x > 1 and y in [1 2) and z = 5"),
            ("x <= 1.5", "x <= 1.5"),
            ("__tag__:_pod_name_:web", "__tag__:_pod_name_:web"),
            ("\\or", "\\or"),
            ("\"a:b\":c", "\"a:b\":c"),
            ("__tag__:\"a:b\":c", "__tag__:\"a:b\":c"),
            ("\"or\" > 1", "\"or\" > 1"),
        ] {
            let expr = parse(search).unwrap();
            assert_eq!(expr.to_string(), shown, "{search}");
            assert_eq!(parse(&expr.to_string()).unwrap(), expr, "{search} shown as {expr}");
        }
    }
}
