//! A time format, compiled, and what a text says by it.

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const DAYS: [&[u8; 3]; 7] = [b"sun", b"mon", b"tue", b"wed", b"thu", b"fri", b"sat"];

/// Why a time format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeFormatError {
    #[error(
        "time format {format:?}: %{directive} is not supported; supported are \
         %Y %y %m %b %B %h %d %e %j %H %k %I %l %M %S %f %p %s %a %A %z %Z %T %D %F %R %n %t %%"
    )]
    Directive { format: String, directive: char },
    #[error("time format {format:?} ends with a lone %; write %% for a percent sign")]
    LonePercent { format: String },
    #[error("time format {format:?} says no time of day and no date; see strptime(3)")]
    Nothing { format: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(u8),
    Space,
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    DayOfYear,
    DayName,
    Hour,
    Hour12,
    AmPm,
    Minute,
    Second,
    Fraction,
    Epoch,
    Offset,
    ZoneName,
}

/// A compiled time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    items: Vec<Item>,
}

impl TimeFormat {
    /// # Errors
    /// A directive that is not supported, named with the ones that are.
    pub fn new(format: &str) -> Result<Self, TimeFormatError> {
        let mut items = Vec::new();
        compile(format, &mut items)?;
        let says = |i: &Item| {
            !matches!(i, Item::Literal(_) | Item::Space | Item::DayName | Item::ZoneName | Item::Offset)
        };
        if !items.iter().any(says) {
            return Err(TimeFormatError::Nothing { format: format.to_owned() });
        }
        Ok(Self { items })
    }

    /// `%Y-%m-%d %H:%M:%S`.
    pub(super) fn dates() -> Self {
        use Item::{Day, Hour, Literal, Minute, Month, Second, Space, Year};
        let dash = Literal(b'-');
        let colon = Literal(b':');
        Self { items: vec![Year, dash, Month, dash, Day, Space, Hour, colon, Minute, colon, Second] }
    }

    /// `%s`.
    pub(super) fn epochs() -> Self {
        Self { items: vec![Item::Epoch] }
    }

    /// The text says in which year it is.
    pub(super) fn is_dated(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Year | Item::YearOfCentury | Item::Epoch))
    }
}

fn compile(format: &str, items: &mut Vec<Item>) -> Result<(), TimeFormatError> {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            items.push(Item::Space);
            continue;
        }
        if c != '%' {
            items.extend(c.encode_utf8(&mut [0; 4]).bytes().map(Item::Literal));
            continue;
        }
        let item = match chars.next() {
            None => return Err(TimeFormatError::LonePercent { format: format.to_owned() }),
            Some('Y') => Item::Year,
            Some('y') => Item::YearOfCentury,
            Some('m') => Item::Month,
            Some('b' | 'B' | 'h') => Item::MonthName,
            Some('d' | 'e') => Item::Day,
            Some('j') => Item::DayOfYear,
            Some('a' | 'A') => Item::DayName,
            Some('H' | 'k') => Item::Hour,
            Some('I' | 'l') => Item::Hour12,
            Some('p' | 'P') => Item::AmPm,
            Some('M') => Item::Minute,
            Some('S') => Item::Second,
            Some('f') => Item::Fraction,
            Some('s') => Item::Epoch,
            Some('z') => Item::Offset,
            Some('Z') => Item::ZoneName,
            Some('n' | 't') => Item::Space,
            Some('%') => Item::Literal(b'%'),
            Some('T') => {
                compile("%H:%M:%S", items)?;
                continue;
            }
            Some('D') => {
                compile("%m/%d/%y", items)?;
                continue;
            }
            Some('F') => {
                compile("%Y-%m-%d", items)?;
                continue;
            }
            Some('R') => {
                compile("%H:%M", items)?;
                continue;
            }
            Some(directive) => {
                return Err(TimeFormatError::Directive { format: format.to_owned(), directive });
            }
        };
        items.push(item);
    }
    Ok(())
}

/// What a text says, before it is put on a time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub year: Option<i64>,
    pub month: i64,
    pub day: i64,
    pub day_of_year: Option<i64>,
    pub hour: i64,
    pub afternoon: Option<bool>,
    pub minute: i64,
    pub second: i64,
    pub nanos: Option<u32>,
    pub epoch: Option<i64>,
    pub offset_seconds: Option<i64>,
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// A number of up to `digits_max` digits in `range`; leading spaces are allowed as by strptime.
    fn number(&mut self, digits_max: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        self.skip_space();
        let (mut value, from) = (0i64, self.at);
        while self.at - from < digits_max
            && let Some(digit @ b'0'..=b'9') = self.peek()
        {
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        (self.at > from && range.contains(&value)).then_some(value)
    }

    /// Index of the name (by its first three letters) and its further letters skipped.
    fn name(&mut self, names: &[&[u8; 3]]) -> Option<usize> {
        let three = self.text.get(self.at..self.at + 3)?;
        let index = names.iter().position(|n| three.eq_ignore_ascii_case(*n))?;
        self.at += 3;
        self.letters();
        Some(index)
    }

    fn letters(&mut self) -> usize {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphabetic()) {
            self.at += 1;
        }
        self.at - from
    }
}

/// What `text` says by `format`, and where that ends; `None` if it does not fit.
pub(super) fn parse(format: &TimeFormat, text: &[u8]) -> Option<(Said, usize)> {
    let mut c = Cursor { text, at: 0 };
    let mut said = Said {
        year: None,
        month: 1,
        day: 1,
        day_of_year: None,
        hour: 0,
        afternoon: None,
        minute: 0,
        second: 0,
        nanos: None,
        epoch: None,
        offset_seconds: None,
    };
    for item in &format.items {
        match item {
            Item::Literal(byte) => {
                if c.peek() != Some(*byte) {
                    return None;
                }
                c.at += 1;
            }
            Item::Space => c.skip_space(),
            Item::Year => said.year = Some(c.number(4, 0..=9999)?),
            Item::YearOfCentury => {
                let year = c.number(2, 0..=99)?;
                said.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
            }
            Item::Month => said.month = c.number(2, 1..=12)?,
            Item::MonthName => said.month = c.name(&MONTHS)? as i64 + 1,
            Item::Day => said.day = c.number(2, 1..=31)?,
            Item::DayOfYear => said.day_of_year = Some(c.number(3, 1..=366)?),
            Item::DayName => {
                c.name(&DAYS)?;
            }
            Item::Hour => said.hour = c.number(2, 0..=23)?,
            Item::Hour12 => said.hour = c.number(2, 1..=12)?,
            Item::AmPm => {
                let mark = c.text.get(c.at..c.at + 2)?;
                said.afternoon = Some(match mark {
                    m if m.eq_ignore_ascii_case(b"am") => false,
                    m if m.eq_ignore_ascii_case(b"pm") => true,
                    _ => return None,
                });
                c.at += 2;
            }
            Item::Minute => said.minute = c.number(2, 0..=59)?,
            // 60 is a leap second; it is counted into the next minute.
            Item::Second => said.second = c.number(2, 0..=60)?,
            Item::Fraction => said.nanos = Some(fraction(&mut c)?),
            Item::Epoch => epoch(&mut c, &mut said)?,
            Item::Offset => said.offset_seconds = Some(offset(&mut c)?),
            Item::ZoneName => {
                let from = c.at;
                if c.letters() == 0 {
                    return None;
                }
                if matches!(&text[from..c.at], b"UTC" | b"GMT" | b"Z") {
                    said.offset_seconds = Some(0);
                }
            }
        }
    }
    Some((said, c.at))
}

/// The digits at the beginning of `text` as the nanoseconds of a second's fraction; `None` if there are none.
pub fn fraction_nanos(text: &[u8]) -> Option<u32> {
    fraction(&mut Cursor { text, at: 0 })
}

/// Digits of a second's fraction, of any precision, as nanoseconds.
fn fraction(c: &mut Cursor<'_>) -> Option<u32> {
    let (mut nanos, mut weight, from) = (0u32, 100_000_000u32, c.at);
    while let Some(digit @ b'0'..=b'9') = c.peek() {
        nanos += u32::from(digit - b'0') * weight;
        weight /= 10;
        c.at += 1;
    }
    (c.at > from).then_some(nanos)
}

/// Seconds since 1970; of 13, 16 or 19 digits the rest is milli-, micro- or nanoseconds.
fn epoch(c: &mut Cursor<'_>, said: &mut Said) -> Option<()> {
    c.skip_space();
    let digits = c.text[c.at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = if matches!(digits, 13 | 16 | 19) { 10 } else { digits };
    said.epoch = Some(c.number(whole, 0..=i64::from(u32::MAX))?);
    if digits > whole {
        said.nanos = Some(fraction(c)?);
    }
    Some(())
}

/// `Z`, `+08`, `+0800`, `+08:00`.
fn offset(c: &mut Cursor<'_>) -> Option<i64> {
    c.skip_space();
    let sign = match c.peek()? {
        b'Z' | b'z' => {
            c.at += 1;
            return Some(0);
        }
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    c.at += 1;
    let hours = c.number(2, 0..=23)?;
    let mut minutes = 0;
    if c.peek() == Some(b':') {
        c.at += 1;
        minutes = c.number(2, 0..=59)?;
    } else if c.peek().is_some_and(|b| b.is_ascii_digit()) {
        minutes = c.number(2, 0..=59)?;
    }
    Some(sign * (hours * 3600 + minutes * 60))
}
