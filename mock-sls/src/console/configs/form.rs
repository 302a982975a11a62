//! The form of the wizard, step by step. It works by itself; `configs.js` shows the preview while one types.

use maud::{Markup, html};
use sls_api::names::{LogstoreName, MachineGroupName};

use super::super::fields::{area, choice, code, text, tick};
use super::super::page::csrf;
use super::super::visit::Visit;
use super::draft::{Draft, Mode};

/// What a form needs besides the draft.
pub(super) struct Around<'a> {
    /// Where it is sent.
    pub action: &'a str,
    /// What there is to choose from.
    pub logstores: &'a [LogstoreName],
    pub groups: &'a [MachineGroupName],
    /// The config is there: its name stays.
    pub is_there: bool,
}

/// The form with its preview.
pub(super) fn form(visit: &Visit, draft: &Draft, around: &Around<'_>, preview: &Markup) -> Markup {
    html! {
        form #wizard.wizard method="post" action=(around.action) {
            (csrf(visit))
            div.columns {
                div {
                    (where_to(visit, draft, around))
                    (files(visit, draft))
                    (parsing(visit, draft))
                    (further(visit, draft))
                    (apply(visit, draft, around))
                    div.actions {
                        button.primary type="submit" name="do" value="save" { (visit.t("Save and apply", "保存并应用")) }
                        button #show type="submit" name="do" value="preview" { (visit.t("Preview", "预览")) }
                    }
                }
                div.beside {
                    section.card aria-labelledby="sample-step" {
                        h2 #sample-step { (visit.t("Sample and preview", "日志样例与预览")) }
                        (area("sample", visit.t("Lines of the log", "日志样例"), &draft.sample, 6,
                            visit.t("Paste some. Nothing is collected by it; its first lines, less than 1500 bytes, are kept with the config.", "粘贴若干行日志，仅用于预览；前若干行（小于 1500 字节）随配置保存。")))
                        @if draft.mode == Mode::Regex {
                            button type="submit" name="do" value="guess" { (visit.t("Make a regex of the first line", "根据首行生成正则")) }
                        }
                        div #preview aria-live="polite" { (preview) }
                    }
                }
            }
        }
    }
}

fn where_to(visit: &Visit, draft: &Draft, around: &Around<'_>) -> Markup {
    html! {
        fieldset {
            legend { "1. " (visit.t("Name, Logstore and mode", "名称、日志库与模式")) }
            @if around.is_there {
                input type="hidden" name="name" value=(draft.name);
            } @else {
                (text("name", visit.t("Name of the config", "配置名称"), &draft.name, visit.t("letters, digits, hyphens and underscores", "字母、数字、短划线与下划线")))
            }
            div.field {
                label for="logstore" { (visit.t("Logstore", "日志库")) }
                select #logstore name="logstore" {
                    @if draft.logstore.is_empty() { option value="" { "–" } }
                    @for logstore in around.logstores { option value=(logstore) selected[logstore.as_str() == draft.logstore] { (logstore) } }
                    @if !draft.logstore.is_empty() && !around.logstores.iter().any(|known| known.as_str() == draft.logstore) {
                        option value=(draft.logstore) selected { (draft.logstore) }
                    }
                }
            }
            div.field {
                label for="mode" { (visit.t("Mode", "采集模式")) }
                div.row {
                    select #mode name="mode" {
                        @for mode in Mode::ALL { option value=(mode.name()) selected[mode == draft.mode] { (title(visit, mode)) } }
                    }
                    button type="submit" name="do" value="mode" { (visit.t("Use this mode", "使用该模式")) }
                }
            }
        }
    }
}

/// What people call a mode.
pub(super) fn title(visit: &Visit, mode: Mode) -> &'static str {
    match mode {
        Mode::Simple => visit.t("Simple: each line in one field", "极简模式"),
        Mode::Regex => visit.t("Full regex", "完整正则模式"),
        Mode::Nginx => visit.t("Nginx access log", "NGINX 访问日志"),
        Mode::Delimiter => visit.t("Delimiter", "分隔符模式"),
        Mode::Json => visit.t("JSON", "JSON 模式"),
        Mode::Advanced => visit.t("JSON of inputDetail by hand", "手工编辑 inputDetail"),
    }
}

fn files(visit: &Visit, draft: &Draft) -> Markup {
    if draft.mode == Mode::Advanced {
        return html! {
            fieldset {
                legend { "2. " (visit.t("Everything by hand", "手工配置")) }
                (text("input-type", "inputType", &draft.input_type, "file, plugin, syslog, streamlog"))
                (area("more", "inputDetail", &draft.more, 18, visit.t("a JSON object, kept as it is", "JSON 对象，原样保存")))
            }
        };
    }
    let encodings = [("utf8", "UTF-8"), ("gbk", "GBK")];
    html! {
        fieldset {
            legend { "2. " (visit.t("Files", "日志文件")) }
            (code("log-path", visit.t("Directory", "日志路径"), &draft.log_path, visit.t("as the sidecar sees it, for example /var/log/nginx; * and ? are wildcards", "Sidecar 容器内的绝对路径，如 /var/log/nginx，支持 * 与 ?")))
            (code("file-pattern", visit.t("Name of the files", "文件名"), &draft.file_pattern, visit.t("for example access*.log", "如 access*.log")))
            div.row {
                (text("max-depth", visit.t("Levels below it", "最大目录监控深度"), &draft.max_depth, visit.t("0 is the directory alone", "0 表示仅当前目录")))
                (choice("encoding", visit.t("Encoding", "日志编码"), &draft.encoding, &encodings, ""))
            }
            div.field {
                label.tick {
                    input type="checkbox" disabled aria-describedby="docker-hint";
                    span { (visit.t("Docker File", "Docker 文件")) }
                }
                p.hint #docker-hint { (visit.t(
                    "Off: a sidecar shares a volume with the service's container and reads its files itself. On, the collector would look for the files of other containers of the node, which only a DaemonSet can.",
                    "关闭：Sidecar 与业务容器共享卷，直接读取其中的文件。开启后采集端会查找节点上其他容器的文件，仅 DaemonSet 支持。")) }
            }
        }
    }
}

fn parsing(visit: &Visit, draft: &Draft) -> Markup {
    html! {
        @if draft.mode != Mode::Advanced {
            fieldset {
                legend { "3. " (visit.t("Parsing", "解析")) }
                @match draft.mode {
                    Mode::Simple => p.quiet-text { (visit.t("Each log is sent whole, in the field content.", "整条日志存入 content 字段。")) },
                    Mode::Regex => {
                        (area("regex", visit.t("Regular expression", "正则表达式"), &draft.regex, 3, visit.t("matches the whole log; each group in ( ) becomes a field", "需匹配整条日志，每个捕获组成为一个字段")))
                        (keys(visit, draft, visit.t("Keys of the groups", "捕获组对应的 Key")))
                    }
                    Mode::Nginx => (area("log-format", visit.t("The line log_format of nginx.conf", "nginx.conf 中的 log_format"), &draft.log_format, 4,
                        visit.t("regex, keys and time are made of it, see the preview", "据此生成正则、Key 与时间，见预览"))),
                    Mode::Delimiter => {
                        div.row {
                            (code("separator", visit.t("Separator", "分隔符"), &draft.separator, visit.t("up to 4 characters; \\t is a tab", "最多 4 个字符，\\t 表示制表符")))
                            (code("quote", visit.t("Quote", "引用符"), &draft.quote, visit.t("one character, or empty for none", "单个字符，留空表示无")))
                        }
                        (keys(visit, draft, visit.t("Names of the columns", "列名")))
                        (tick("extends", visit.t("Columns beyond these are sent too, as __column…__", "超出的列以 __column…__ 上传"), draft.extends, ""))
                    }
                    Mode::Json | Mode::Advanced => p.quiet-text { (visit.t("Each line is a JSON object; its members become fields.", "每行一个 JSON 对象，其成员成为字段。")) },
                }
                @if matches!(draft.mode, Mode::Simple | Mode::Regex | Mode::Nginx) {
                    (code("begin", visit.t("Regex of the first line of a log", "行首正则表达式"), &draft.begin, visit.t("for logs of several lines; it must match that line as a whole. Empty: each line is a log.", "用于多行日志，需匹配整行；留空表示单行日志")))
                }
                (tick("discard-unmatched", visit.t("Drop logs that do not match", "丢弃解析失败日志"), draft.discard_unmatched, visit.t("else they are sent whole in __raw_log__", "否则整条存入 __raw_log__ 上传")))
                (tick("raw-log", visit.t("Send the whole log too, in __raw__", "上传原始日志（__raw__）"), draft.raw_log, ""))
            }
        }
    }
}

/// A row for each key, with what it captures beside it.
fn keys(visit: &Visit, draft: &Draft, label: &str) -> Markup {
    let rows = draft.wanted_keys().max(draft.keys.len()).max(1);
    html! {
        fieldset #keys {
            legend { (label) }
            ol.keys {
                @for row in 0..rows {
                    li {
                        input.code name="key" value=(draft.keys.get(row).map_or("", String::as_str)) autocomplete="off" spellcheck="false"
                            aria-label={ (visit.t("Key ", "Key ")) (row + 1) };
                        output.captured {}
                    }
                }
            }
        }
    }
}

fn further(visit: &Visit, draft: &Draft) -> Markup {
    if draft.mode == Mode::Advanced {
        return html! {};
    }
    let topics = [
        ("none", visit.t("No topic", "空")),
        ("group_topic", visit.t("That of the machine group", "机器组 Topic 属性")),
        ("constant", visit.t("A constant", "自定义")),
        ("path", visit.t("A regex on the path", "文件路径正则")),
    ];
    html! {
        fieldset {
            legend { "4. " (visit.t("Time, filters, topic", "时间、过滤与 Topic")) }
            div.row {
                (code("time-key", visit.t("Field of the time", "时间字段"), &draft.time_key, ""))
                (code("time-format", visit.t("Its format", "时间格式"), &draft.time_format, visit.t("strptime, for example %d/%b/%Y:%H:%M:%S", "strptime，如 %d/%b/%Y:%H:%M:%S")))
                (code("time-zone", visit.t("Its zone", "时区"), &draft.time_zone, visit.t("for example GMT+08:00; empty is that of the collector", "如 GMT+08:00，留空为采集端时区")))
            }
            p.hint { (visit.t("Without a format the time is that of collection.", "未填写时间格式时使用采集时间。")) }
            fieldset {
                legend { (visit.t("Filters: only logs are sent whose fields all match", "过滤器：仅上传全部匹配的日志")) }
                @for row in 0..draft.filters.len() + 2 {
                    @let (key, regex) = draft.filters.get(row).map_or(("", ""), |(key, regex)| (key, regex));
                    div.row {
                        input.code name="filter-key" value=(key) placeholder=(visit.t("key", "Key")) aria-label={ (visit.t("Key of filter ", "过滤 Key ")) (row + 1) };
                        input.code name="filter-regex" value=(regex) placeholder=(visit.t("regex", "正则")) aria-label={ (visit.t("Regex of filter ", "过滤正则 ")) (row + 1) };
                    }
                }
            }
            div.row {
                (choice("topic", visit.t("Topic", "Topic 生成方式"), &draft.topic, &topics, ""))
                (code("topic-text", visit.t("Its text or regex", "Topic 文本或正则"), &draft.topic_text, ""))
            }
            details open[!draft.more.is_empty()] {
                summary { (visit.t("Further keys of inputDetail", "其他 inputDetail 参数")) }
                (area("more", visit.t("A JSON object", "JSON 对象"), &draft.more, 6, visit.t("such as {\"tailExisted\": true}; keys that this form has no field for are kept here", "如 {\"tailExisted\": true}；表单未列出的参数保留于此")))
            }
        }
    }
}

fn apply(visit: &Visit, draft: &Draft, around: &Around<'_>) -> Markup {
    let missing =
        draft.groups.iter().filter(|name| !around.groups.iter().any(|group| group.as_str() == name.as_str()));
    html! {
        fieldset {
            legend { "5. " (visit.t("Machine groups", "应用到机器组")) }
            @if around.groups.is_empty() { p.quiet-text { (visit.t("There is none yet; the config can be applied later.", "暂无机器组，可稍后应用。")) } }
            @for group in around.groups {
                label.tick {
                    input type="checkbox" name="group" value=(group) checked[draft.groups.iter().any(|name| name == group.as_str())];
                    span { (group) }
                }
            }
            @for group in missing { input type="hidden" name="group" value=(group); }
        }
    }
}
