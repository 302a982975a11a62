//! The form for a fault: a part for which requests, one for each kind, one for how long.

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use sls_expect::fault::{HeaderIs, Rule, What, When};

use crate::console::forms::Pairs;
use crate::console::page::csrf;
use crate::console::problem::Problem;
use crate::console::visit::Visit;

/// A field of a kind: its name in the form, and what it is.
struct Field {
    name: &'static str,
    label: &'static str,
    input: Input,
}

enum Input {
    Number(&'static str),
    Text,
    OneOf(&'static [&'static str]),
}

/// Kinds with their texts and fields. The value of a kind with one field without a name of its own is that field.
fn kinds(visit: &Visit) -> Vec<(&'static str, &'static str, Vec<Field>)> {
    let t = |english, chinese| visit.t(english, chinese);
    let field = |name, label, input| Field { name, label, input };
    let quotas: &[&str] = &["write", "shard_write", "read", "shard_read"];
    vec![
        (
            "error",
            t("An error", "返回错误"),
            vec![
                field("status", t("Status", "状态码"), Input::Number("503")),
                field(
                    "error_code",
                    t("Code (that of the status if empty)", "错误码（默认取状态码对应值）"),
                    Input::Text,
                ),
                field("message", t("Message", "错误信息"), Input::Text),
            ],
        ),
        (
            "quota",
            t("A quota is exceeded", "超出配额"),
            vec![field("", t("Which", "配额"), Input::OneOf(quotas))],
        ),
        (
            "delay_ms",
            t("The answer is late", "延迟应答"),
            vec![
                field("min", t("From, ms", "最短（毫秒）"), Input::Number("1000")),
                field("max", t("To, ms", "最长（毫秒）"), Input::Number("3000")),
            ],
        ),
        (
            "reset",
            t("The connection is reset", "重置连接"),
            vec![field(
                "",
                t("Before or after the request is handled", "处理请求之前或之后"),
                Input::OneOf(&["before", "after"]),
            )],
        ),
        (
            "hang",
            t("No answer", "挂起"),
            vec![field("max_ms", t("At most, ms", "最长（毫秒）"), Input::Number("30000"))],
        ),
        (
            "slow_body",
            t("The body of the answer is slow", "应答体缓慢"),
            vec![field("bytes_per_s", t("Bytes per second", "每秒字节数"), Input::Number("1000"))],
        ),
        (
            "truncated",
            t("The body of the answer is cut off", "应答体被截断"),
            vec![field("bytes", t("After so many bytes", "截断前的字节数"), Input::Number("10"))],
        ),
        (
            "wrong_request_id",
            t("The request id of the answer is wrong", "请求 ID 错误"),
            vec![field("", t("How", "方式"), Input::OneOf(&["absent", "other"]))],
        ),
        (
            "clock_offset_s",
            t("The clock of the server is off", "服务端时钟偏移"),
            vec![field(
                "",
                t("Seconds ahead; negative for behind", "快的秒数；负数表示慢"),
                Input::Number("1200"),
            )],
        ),
        (
            "incomplete",
            t("Queries are incomplete", "查询结果不完整"),
            vec![field("", t("So many answers", "应答次数"), Input::Number("3"))],
        ),
        (
            "visibility_delay_ms",
            t("Logs are found late", "日志延迟可查"),
            vec![field("", t("So many ms after they came", "到达后延迟（毫秒）"), Input::Number("5000"))],
        ),
    ]
}

/// Name of a field of a kind in the form.
fn key(kind: &str, field: &str) -> String {
    format!("{kind}.{field}")
}

/// The form.
pub(super) fn form(visit: &Visit) -> Markup {
    let text = |name: &str, label: &str, kind: &str| {
        html! { div.field {
            label for={ "n-" (name) } { (label) }
            input id={ "n-" (name) } name=(name) type=(kind) autocomplete="off" step=[(kind == "number").then_some("any")];
        } }
    };
    let t = |english, chinese| visit.t(english, chinese);
    html! {
        form.card method="post" action="/testbed/faults/add" {
            (csrf(visit))
            fieldset.kinds {
                legend { (t("What goes wrong", "故障类型")) }
                @for (index, (kind, label, fields)) in kinds(visit).into_iter().enumerate() {
                    div.kind {
                        label.tick { input type="radio" name="kind" value=(kind) checked[index == 0] required; (label) }
                        div.row { @for field in fields { (one(kind, &field)) } }
                    }
                }
            }
            fieldset {
                legend { (t("Which requests (all, if nothing is said)", "作用于哪些请求（不填则为全部）")) }
                div.fields {
                    (text("operation", t("Operations (names, write, query, pull)", "操作（名称、write、query、pull）"), "text"))
                    (text("project", t("Project", "项目"), "text"))
                    (text("logstore", t("Logstore", "日志库"), "text"))
                    (text("shard", t("Shard", "分区"), "number"))
                    (text("client", t("Client (address)", "客户端（地址）"), "text"))
                    (text("header", t("Header", "请求头"), "text"))
                    (text("equals", t("… is", "……等于"), "text"))
                    (text("matches", t("… matches (regular expression)", "……匹配（正则表达式）"), "text"))
                    (text("nth", t("Only the so-manyth of them", "仅第几个"), "number"))
                    (text("after", t("Only after so many", "仅在多少个之后"), "number"))
                    (text("every", t("Each so-manyth", "每隔几个"), "number"))
                    (text("probability", t("Share of them (0 to 1)", "比例（0～1）"), "number"))
                    (text("seed", t("Seed of the share", "随机种子"), "number"))
                }
            }
            fieldset {
                legend { (t("How long", "持续")) }
                div.fields {
                    (text("name", t("Name", "名称"), "text"))
                    (text("times", t("So many times at most", "最多次数"), "number"))
                    (text("seconds", t("Seconds", "秒数"), "number"))
                }
            }
            div.actions { button.primary type="submit" { (t("Add", "添加")) } }
        }
    }
}

fn one(kind: &str, field: &Field) -> Markup {
    let name = key(kind, field.name);
    html! {
        label { span.hint { (field.label) } " "
            @match field.input {
                Input::Number(default) => { input.short name=(name) type="number" value=(default); }
                Input::Text => { input name=(name) autocomplete="off"; }
                Input::OneOf(values) => select.short name=(name) {
                    @for value in values { option value=(value) { (value) } }
                },
            }
        }
    }
}

/// The rule that a form describes. Whether it can be is judged where it is added.
pub(super) fn rule(form: &Pairs) -> Result<Rule, Problem> {
    let header = match form.filled("header") {
        Some(name) => Some(HeaderIs {
            name: name.to_owned(),
            equals: form.filled("equals").map(str::to_owned),
            matches: form.filled("matches").map(str::to_owned),
        }),
        None if form.filled("equals").or(form.filled("matches")).is_some() => {
            return Err(Problem::bad("header: which one must be or match that?"));
        }
        None => None,
    };
    let client = form.filled("client").map(|text| {
        serde_json::from_value(Value::from(text)).map_err(|error| Problem::bad(error.to_string()))
    });
    let owned = |name: &str| form.filled(name).map(str::to_owned);
    let when = When {
        operation: form.filled("operation").map(Into::into).unwrap_or_default(),
        project: owned("project"),
        logstore: owned("logstore"),
        shard: form.number("shard")?,
        header,
        client: client.transpose()?,
        nth: form.number("nth")?,
        after: form.number("after")?,
        every: form.number("every")?,
        probability: form.number("probability")?,
        seed: form.number("seed")?,
    };
    let seconds: Option<u64> = form.number("seconds")?;
    Ok(Rule {
        name: owned("name"),
        when,
        what: what(form)?,
        times: form.number("times")?,
        for_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
    })
}

fn what(form: &Pairs) -> Result<What, Problem> {
    let kind = form.text("kind");
    let texts = ["error_code", "message"];
    let members = ["status", "error_code", "message", "min", "max", "max_ms", "bytes_per_s", "bytes"];
    let mut value = Map::new();
    for member in members {
        let Some(text) = form.filled(&key(kind, member)) else { continue };
        value.insert(member.to_owned(), if texts.contains(&member) { json!(text) } else { number(text) });
    }
    let value = form.filled(&key(kind, "")).map_or(Value::Object(value), number);
    What::of(kind, value).map_err(|invalid| Problem::bad(invalid.to_string()))
}

/// A number if it is one; the rule says what is wrong with a text.
fn number(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}
