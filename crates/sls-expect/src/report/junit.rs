//! Results as JUnit XML, the form that CI systems read.

use std::fmt::Write;

use super::Case;

/// A test suite of the cases.
pub fn junit(suite: &str, cases: &[Case]) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = write(&mut out, suite, cases);
    out
}

fn write(out: &mut String, suite: &str, cases: &[Case]) -> std::fmt::Result {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let suite = escaped(suite);
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuite name="{suite}" tests="{}" failures="{failures}" time="{seconds:.3}">"#,
        cases.len()
    )?;
    for case in cases {
        let name = escaped(&case.name);
        write!(out, r#"  <testcase classname="{suite}" name="{name}" time="{:.3}""#, case.seconds)?;
        match &case.failure {
            None => writeln!(out, "/>")?,
            Some(text) => {
                let first = escaped(text.lines().next().unwrap_or_default());
                writeln!(
                    out,
                    ">\n    <failure message=\"{first}\">{}</failure>\n  </testcase>",
                    escaped(text)
                )?;
            }
        }
    }
    writeln!(out, "</testsuite>")
}

/// The text as it may stand in XML. Control characters, which XML cannot hold at all, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn cases_become_a_suite() {
        let case = |name: &str, failure: Option<&str>| Case {
            name: name.to_owned(),
            seconds: 0.25,
            failure: failure.map(str::to_owned),
        };
        let cases = [case("a < b", None), case("c", Some("FAILED  c\n  why  \"x\" & \u{1}\n"))];
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuite name="mock-sls" tests="2" failures="1" time="0.500">
              <testcase classname="mock-sls" name="a &lt; b" time="0.250"/>
              <testcase classname="mock-sls" name="c" time="0.250">
                <failure message="FAILED  c">FAILED  c
              why  &quot;x&quot; &amp; �
            </failure>
              </testcase>
            </testsuite>
        "#]]
        .assert_eq(&junit("mock-sls", &cases));
    }
}
