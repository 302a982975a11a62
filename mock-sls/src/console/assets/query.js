// The query page: what its box, its values and its links do beyond HTML.

import { ask, element, t } from "./console.js";
import { clause, narrowed } from "./clause.js";
import { searchBox } from "./box.js";
import { fieldList, shown } from "./shown.js";

const form = document.getElementById("query");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

/** Keeps small things in this browser; where that is not allowed nothing is kept. */
const kept = {
    get(name) {
        try {
            return JSON.parse(localStorage.getItem(`console-${name}:${form.dataset.path}`)) ?? [];
        } catch {
            return [];
        }
    },
    set(name, value) {
        try {
            localStorage.setItem(`console-${name}:${form.dataset.path}`, JSON.stringify(value));
        } catch {
            // A browser that keeps nothing still shows everything.
        }
    },
};

const index = {
    fields: new Map(Object.entries(JSON.parse(form?.dataset.fields || "{}"))),
    line: form?.dataset.line !== undefined,
};

/** The seconds of a field for date and time. */
const second = (text) => Math.floor(new Date(text).getTime() / 1000);

/** A second as the value of such a field, in the zone of the browser. */
function fieldValue(second) {
    const date = new Date(second * 1000);
    return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Times in the zone of the browser, and addresses without what is as always. */
function setUpForm() {
    const { from, to, range } = form.elements;
    for (const field of [from, to]) field.value = fieldValue(Number(field.dataset.second));
    form.querySelector(".zone").textContent = zone ? `(${zone})` : "";
    const moments = form.querySelector(".moments");
    const show = () => (moments.hidden = range.value !== "fixed");
    range.addEventListener("change", show);
    show();
    form.addEventListener("formdata", ({ formData }) => {
        const zoom = formData.get("zoom");
        const chosen = zoom ? "fixed" : formData.get("range");
        const [first, last] = zoom ? zoom.split("-") : [second(from.value), second(to.value)];
        formData.delete("zoom");
        formData.set("range", chosen);
        formData.set("from", String(first));
        formData.set("to", String(last));
        formData.set("zone", zone);
        if (chosen !== "fixed") ["from", "to"].forEach((name) => formData.delete(name));
        if (chosen !== "today" && chosen !== "yesterday") formData.delete("zone");
        const usual = { q: "", range: "15m", order: "desc", size: "20", view: "raw" };
        for (const [name, value] of Object.entries(usual)) if (formData.get(name) === value) formData.delete(name);
    });
}

/** The queries of before, as a list beside the saved ones. */
function setUpHistory(box) {
    const query = form.elements.q.defaultValue;
    const before = kept.get("history").filter((old) => typeof old === "string" && old !== query);
    const refused = document.getElementById("query-error")?.classList.contains("bad");
    const all = query === "" || refused ? before : [query, ...before].slice(0, 50);
    kept.set("history", all);
    const list = element("ul", { class: "plain history" });
    const fill = (queries) => {
        const use = (old) => () => {
            box.set(old);
            form.requestSubmit();
        };
        const items = queries.map((old) => element("li", {}, element("button", { type: "button", class: "quiet", onclick: use(old) }, element("bdi", {}, ...shown(old)))));
        list.replaceChildren(...(items.length > 0 ? items : [element("li", { class: "quiet-text" }, t("None yet.", "暂无。"))]));
    };
    fill(all);
    const forget = () => {
        kept.set("history", []);
        fill([]);
    };
    document.querySelector(".kept")?.append(
        element(
            "details",
            {},
            element("summary", {}, t("History", "查询历史")),
            element("div", { class: "card" }, list, element("button", { type: "button", onclick: forget }, t("Forget all", "清空历史"))),
        ),
    );
}

let menu = null;

function closeMenu(focus) {
    if (!menu) return;
    const { value, made } = menu;
    menu = null;
    made.remove();
    if (focus) value.focus();
}

/** The field that a shown value is of. */
function fieldOf(value) {
    const cell = value.closest("td");
    if (cell) return cell.closest("table").tHead.rows[0].cells[cell.cellIndex].dataset.field;
    return value.closest("div").querySelector("dt").textContent;
}

/** What can be done with a value. */
function openMenu(value, box) {
    closeMenu(false);
    const name = fieldOf(value);
    const text = value.textContent;
    const whole = !value.dataset.cut && !value.parentElement.querySelector(".whole") && !value.querySelector(".ctl");
    const condition = whole ? clause(name, text, index) : null;
    const narrow = (excluded) => () => {
        box.set(narrowed(form.elements.q.value, condition, excluded));
        form.requestSubmit();
    };
    const button = (title, action, code) => element("button", { type: "button", role: "menuitem", onclick: action }, title, code && element("code", {}, element("bdi", {}, code)));
    const copy = () => navigator.clipboard?.writeText(text).then(() => closeMenu(true));
    const items = condition
        ? [button(t("Add to the query", "添加到查询语句"), narrow(false), condition), button(t("Exclude", "从结果中排除"), narrow(true), `not ${condition}`)]
        : [element("p", { class: "hint" }, whole ? t("This field has no index that can find the value.", "该字段没有可查询此值的索引。") : t("The value is cut or has unseen characters, so no query is made of it.", "该值被截断或含有不可见字符，无法生成查询语句。"))];
    if (navigator.clipboard && whole) items.push(button(t("Copy", "复制"), copy));
    const made = element("div", { class: "value-menu", role: "menu", "aria-label": name }, ...items);
    menu = { value, made };
    document.body.append(made);
    const at = value.getBoundingClientRect();
    made.style.top = `${at.bottom + window.scrollY + 2}px`;
    made.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - made.offsetWidth - 8)) + window.scrollX}px`;
    (made.querySelector("button") ?? value).focus();
}

/** Values that can be clicked can be reached with the Tab key. */
function usable(root) {
    for (const value of root.querySelectorAll(".value:not([role])")) {
        value.setAttribute("role", "button");
        value.setAttribute("aria-haspopup", "menu");
        if (value.textContent === "") value.setAttribute("aria-label", t("empty", "空"));
        value.tabIndex = 0;
    }
}

function setUpValues(box) {
    document.querySelectorAll("table.cells").forEach(usable);
    document.addEventListener("toggle", (event) => event.target.matches?.(".log details[open]") && usable(event.target), true);
    document.addEventListener("click", (event) => {
        const value = event.target.closest(".value[role]");
        if (value && !window.getSelection().toString()) openMenu(value, box);
        else if (!event.target.closest(".value-menu")) closeMenu(false);
    });
    document.addEventListener("keydown", (event) => {
        if (event.target.matches?.(".value[role]") && (event.key === "Enter" || event.key === " ")) {
            event.preventDefault();
            openMenu(event.target, box);
        }
        if (!menu) return;
        const buttons = [...menu.made.querySelectorAll("button")];
        const at = buttons.indexOf(document.activeElement);
        if (event.key === "Escape") closeMenu(true);
        if (event.key === "Tab") closeMenu(false);
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            event.preventDefault();
            buttons.at((at + (event.key === "ArrowDown" ? 1 : -1)) % buttons.length)?.focus();
        }
    });
}

/** Cut values are shown whole where they stand. */
function setUpWhole() {
    document.addEventListener("click", async (event) => {
        const link = event.target.closest("a.whole");
        if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        try {
            const { log } = await ask(link.href);
            const value = link.parentElement.querySelector(".value");
            value.replaceChildren(...shown(log[link.dataset.field] ?? ""));
            if (link.previousSibling?.nodeType === Node.TEXT_NODE) link.previousSibling.remove();
            link.remove();
        } catch (error) {
            link.after(" ", element("span", { class: "error", role: "alert" }, error.message));
        }
    });
}

/** Marks of what was searched for, on a page. */
const MARKS_MAX = 5000;
/** Longest value that is shown of a log whose further fields are asked for, in characters. */
const VALUE_CHARS_MAX = 1500;

/** A log with more fields than the page has room for gets them when it is opened. */
function setUpFurther() {
    document.addEventListener(
        "toggle",
        async (event) => {
            const log = event.target.closest?.(".log details[open]");
            const more = log?.querySelector(".more");
            const page = log?.querySelector("a.alone")?.href;
            if (!more || !page) return;
            try {
                const answer = await ask(page);
                const hidden = ([name]) => name !== "__time__" && name !== "__time_ns_part__" && !(answer.log[name] === "" && name.startsWith("__"));
                const cut = ([name, value]) => (value.length > VALUE_CHARS_MAX ? [name, value.slice(0, VALUE_CHARS_MAX), value.length] : [name, value]);
                log.querySelector("dl.fields").replaceWith(fieldList(Object.entries(answer.log).filter(hidden).map(cut), page));
                more.remove();
                usable(log);
            } catch {
                // The link to the page of the log is there.
            }
        },
        true,
    );
}

/** The columns chosen last are those of the table until others are chosen. */
function setUpColumns() {
    const chosen = document.querySelector("form[data-columns]");
    chosen?.addEventListener("submit", () => kept.set("columns", new FormData(chosen).getAll("col")));
    const columns = kept.get("columns").filter((name) => typeof name === "string");
    const link = document.querySelector('a[data-shape="table"]');
    if (!link || columns.length === 0) return;
    const url = new URL(link.href);
    if (url.searchParams.has("col")) return;
    for (const column of columns) url.searchParams.append("col", column);
    link.href = url.href;
}

/** Marks what was searched for: in the field it was searched in, or everywhere. */
function setUpFound() {
    const logs = document.getElementById("logs");
    if (!logs || !window.Highlight) return;
    const terms = JSON.parse(logs.dataset.terms).flatMap(([field, text]) => {
        const words = text.split(/[\s*?"#]+/).filter((word) => word !== "");
        return words.map((word) => ({ field, word: word.toLowerCase() }));
    });
    const mark = () => {
        const ranges = [];
        for (const value of logs.querySelectorAll(".line bdi, .value")) {
            const field = value.closest(".line") ? value.previousElementSibling?.textContent : fieldOf(value);
            const wanted = terms.filter((term) => term.field === "" || field === undefined || term.field === field);
            const texts = document.createTreeWalker(value, NodeFilter.SHOW_TEXT);
            for (let node = texts.nextNode(); node; node = texts.nextNode()) {
                const text = node.data.toLowerCase();
                // Small letters of a few alphabets are longer.
                if (text.length !== node.data.length) continue;
                for (const { word } of wanted) {
                    for (let at = text.indexOf(word); at >= 0 && ranges.length < MARKS_MAX; at = text.indexOf(word, at + word.length)) {
                        const range = new Range();
                        range.setStart(node, at);
                        range.setEnd(node, at + word.length);
                        ranges.push(range);
                    }
                }
            }
        }
        CSS.highlights.set("found", new Highlight(...ranges));
    };
    mark();
    logs.addEventListener("toggle", mark, true);
}

function setUpTools() {
    for (const tool of document.querySelectorAll(".script[hidden]")) tool.hidden = false;
    const all = document.getElementById("open-all");
    all?.addEventListener("click", () => {
        const open = all.getAttribute("aria-pressed") !== "true";
        all.setAttribute("aria-pressed", String(open));
        for (const log of document.querySelectorAll(".log > details")) log.open = open;
    });
    const copy = document.querySelector("[data-copy]");
    copy?.addEventListener("click", async () => {
        const url = new URL(copy.dataset.copy, location.href);
        // What scripts have added to the address since.
        for (const name of ["chart", "x"]) {
            const value = new URLSearchParams(location.search).get(name);
            if (value) url.searchParams.set(name, value);
        }
        try {
            await navigator.clipboard.writeText(url.href);
            copy.textContent = t("Copied", "已复制");
        } catch {
            const field = element("input", { type: "text", readonly: true, value: url.href, "aria-label": t("Link to this view", "此视图的链接") });
            copy.replaceWith(field);
            field.select();
        }
    });
}

setUpWhole();
setUpFurther();
if (form) {
    const box = searchBox(form, index.fields);
    setUpForm();
    setUpHistory(box);
    setUpValues(box);
    setUpColumns();
    setUpTools();
    setUpFound();
}
