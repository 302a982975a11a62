// Live tail: shows logs as they come. However many come, the page keeps the last ROWS_MAX, and says of how many it has
// shown nothing.

import { element, localTime, t } from "./console.js";
import { fieldList, shown } from "./shown.js";

/** Logs on the page. */
const ROWS_MAX = 500;
/** Wait before the connection is made again, ms: first and at most. */
const WAIT_MS = 1000;
const WAIT_MS_MAX = 15000;

const section = document.getElementById("tail");
const form = document.getElementById("query");
const list = element("ol", { class: "logs" });
const log = element("div", { class: "scrolled", role: "log", "aria-live": "off", tabindex: "0", "aria-label": t("Logs, newest first", "日志，最新优先") }, list);
const status = element("p", { class: "status quiet-text" });
const problem = element("p", { class: "error", role: "alert" });
const pause = element("button", { type: "button", "aria-pressed": "false", onclick: togglePause }, t("Pause", "暂停"));
const clear = element("button", { type: "button", onclick: () => list.replaceChildren() }, t("Clear", "清空"));

let paused = false;
let seen = 0;
let written = 0;
let gaps = 0;
let state = t("connecting…", "连接中…");

function togglePause() {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? t("Go on", "继续") : t("Pause", "暂停");
    tell();
}

function tell() {
    const number = (count) => count.toLocaleString();
    const parts = [
        paused ? t("paused", "已暂停") : state,
        t(`${number(seen)} logs came`, `已到达 ${number(seen)} 条日志`),
        t(`${number(seen - written)} not shown`, `${number(seen - written)} 条未显示`),
        t(`the last ${ROWS_MAX} are kept`, `仅保留最近 ${ROWS_MAX} 条`),
    ];
    if (gaps > 0) parts.push(t(`${gaps} interruptions: what came meanwhile is not counted`, `中断 ${gaps} 次：其间到达的日志未计入`));
    status.textContent = parts.join(" · ");
}

/** A log of the stream as a row that opens. */
function row(log) {
    const single = log.fields.filter(([name]) => !name.startsWith("__")).length === 1;
    const line = element("span", { class: "line", dir: "ltr" });
    let left = 300;
    for (const [name, value] of log.fields) {
        if (name.startsWith("__") || left <= 0) continue;
        if (!single) line.append(element("b", {}, ...shown(name)), ": ");
        line.append(element("bdi", {}, ...shown(value.slice(0, left))), " ");
        left -= value.length + name.length;
    }
    const date = new Date(log.time * 1000);
    const time = element("time", { datetime: date.toISOString(), title: date.toISOString() }, localTime(date));
    const details = element("details", {}, element("summary", {}, time, " ", line));
    const open = () => details.append(fieldList(log.fields, log.page), further(log), links(log));
    details.addEventListener("toggle", open, { once: true });
    return element("li", { class: "log" }, details);
}

function further(log) {
    return log.hidden > 0 ? element("p", { class: "hint more" }, t(`${log.hidden} further fields`, `另有 ${log.hidden} 个字段`)) : "";
}

function links(log) {
    return log.page ? element("p", { class: "row" }, element("a", { class: "alone", href: log.page }, t("This log alone", "单条日志"))) : "";
}

function take(message) {
    if (message.error) {
        problem.textContent = message.error;
        return;
    }
    seen += message.seen;
    if (!paused) {
        written += message.logs.length;
        list.prepend(...message.logs.map(row).reverse());
        while (list.children.length > ROWS_MAX) list.lastElementChild.remove();
    }
    tell();
}

/** Reads the stream to its end; whether it had begun. */
async function read() {
    const query = new URLSearchParams({ q: form.elements.q.defaultValue });
    const response = await fetch(`${form.dataset.path}/tail?${query}`, { headers: { accept: "application/json" } });
    if (!response.ok) {
        const answer = await response.json().catch(() => ({}));
        const error = new Error(answer.errorMessage ?? `HTTP ${response.status}`);
        throw Object.assign(error, { final: response.status < 500 });
    }
    problem.textContent = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        state = t("connected", "已连接");
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) take(JSON.parse(line));
    }
}

async function follow() {
    let wait = WAIT_MS;
    for (;;) {
        const began = Date.now();
        try {
            await read();
        } catch (error) {
            problem.textContent = error.message;
            if (error.final) {
                state = t("not connected", "未连接");
                tell();
                return;
            }
        }
        gaps += 1;
        state = t("connecting again…", "重新连接中…");
        tell();
        wait = Date.now() - began > WAIT_MS_MAX ? WAIT_MS : Math.min(wait * 2, WAIT_MS_MAX);
        await new Promise((done) => setTimeout(done, wait));
    }
}

if (section && form) {
    section.replaceChildren(element("div", { class: "row" }, pause, clear, status), problem, log);
    tell();
    follow();
}
