//! Fields of forms, each with its label, and figures for people.

use maud::{Markup, html};

use super::visit::Visit;

/// A line of text.
pub(super) fn text(id: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            input id=(id) name=(id) value=(value) autocomplete="off" spellcheck="false" aria-describedby=[described(id, hint).as_deref()];
            (told(id, hint))
        }
    }
}

/// A line of text in which every character counts.
pub(super) fn code(id: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            input.code id=(id) name=(id) value=(value) autocomplete="off" spellcheck="false" autocapitalize="off"
                aria-describedby=[described(id, hint).as_deref()];
            (told(id, hint))
        }
    }
}

/// A whole number, or nothing.
pub(super) fn number(id: &str, label: &str, value: Option<i64>, hint: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            input.short id=(id) name=(id) type="number" value=[value] aria-describedby=[described(id, hint).as_deref()];
            (told(id, hint))
        }
    }
}

/// Several lines of text in which every character counts.
pub(super) fn area(id: &str, label: &str, value: &str, rows: u32, hint: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            // Browsers drop the first newline of what is in here.
            textarea.code id=(id) name=(id) rows=(rows) spellcheck="false" autocapitalize="off"
                aria-describedby=[described(id, hint).as_deref()] { "\n" (value) }
            (told(id, hint))
        }
    }
}

/// A box to tick.
pub(super) fn tick(id: &str, label: &str, ticked: bool, hint: &str) -> Markup {
    html! {
        div.field {
            label.tick for=(id) {
                input id=(id) name=(id) type="checkbox" value="true" checked[ticked] aria-describedby=[described(id, hint).as_deref()];
                span { (label) }
            }
            (told(id, hint))
        }
    }
}

/// One of several values, each with its text.
pub(super) fn choice(id: &str, label: &str, value: &str, options: &[(&str, &str)], hint: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            select id=(id) name=(id) aria-describedby=[described(id, hint).as_deref()] {
                @if options.iter().all(|(known, _)| *known != value) { option value=(value) selected { (value) } }
                @for (known, text) in options { option value=(known) selected[*known == value] { (text) } }
            }
            (told(id, hint))
        }
    }
}

fn described(id: &str, hint: &str) -> Option<String> {
    (!hint.is_empty()).then(|| format!("{id}-hint"))
}

fn told(id: &str, hint: &str) -> Markup {
    html! { @if !hint.is_empty() { p.hint id={ (id) "-hint" } { (hint) } } }
}

/// A number of bytes in the unit that fits.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut shown = count as f64;
    let mut unit = "B";
    for next in UNITS {
        if shown < 1024.0 {
            break;
        }
        (shown, unit) = (shown / 1024.0, next);
    }
    format!("{shown:.1} {unit}")
}

/// A number with its thousands set apart.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// How long ago a second was.
pub(super) fn ago(visit: &Visit, now: i64, second: i64) -> String {
    span(visit, now.saturating_sub(second).max(0)) + visit.t(" ago", "前")
}

/// A time span in its largest unit.
pub(super) fn span(visit: &Visit, seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..=119 => (seconds, visit.t(" s", " 秒")),
        120..=7_199 => (seconds / 60, visit.t(" min", " 分钟")),
        7_200..=172_799 => (seconds / 3_600, visit.t(" h", " 小时")),
        _ => (seconds / 86_400, visit.t(" days", " 天")),
    };
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1536), bytes(5 << 30)],
            ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
        );
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000), grouped(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
