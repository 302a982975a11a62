// Rows of SQL as a line, bar or pie chart. Drawn of the table of rows, which stays below it: whoever does not see the
// chart reads the same numbers there.

import { element, t } from "./console.js";

const WIDTH = 800;
const HEIGHT = 300;
const MARGIN = { left: 64, right: 12, top: 12, bottom: 42 };
/** Rows that are drawn, by kind; and slices of a pie, the last of which is all others. */
const ROWS_MAX = { line: 1000, bar: 60, pie: 8 };
/** Colours there are. */
const SERIES_MAX = 8;
const KINDS = { none: t("Table only", "仅表格"), line: t("Lines", "折线图"), bar: t("Bars", "柱状图"), pie: t("Pie", "饼图") };

const NUMBER = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/;

function svg(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

/** The columns of the table: names, whether they are numbers, texts. */
function read(table) {
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
    return heads.map((head, at) => {
        const texts = rows.map((row) => row[at]);
        const numeric = texts.length > 0 && texts.every((text) => NUMBER.test(text) || text === "null" || text === "NaN");
        return { name: head.textContent, numeric, texts };
    });
}

/** Even steps for an axis from `low` to `high`. */
function ticks(low, high) {
    const rough = (high - low || 1) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first;
    return Array.from({ length: count + 1 }, (_, at) => (first + at) * step);
}

const short = (number) => number.toLocaleString(undefined, { maximumSignificantDigits: 4, notation: Math.abs(number) >= 1e6 ? "compact" : "standard" });
const label = (text) => (text.length > 18 ? `${text.slice(0, 17)}…` : text);
const numbers = (column, rows) => column.texts.slice(0, rows).map((text) => (NUMBER.test(text) ? Number(text) : null));

function axes(values, labels) {
    const known = values.flat().filter((value) => value !== null);
    const low = Math.min(0, ...known);
    const high = Math.max(0, ...known) || 1;
    const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
    const y = (value) => MARGIN.top + inner.height * (1 - (value - low) / (high - low));
    const parts = [];
    for (const tick of ticks(low, high)) {
        parts.push(svg("line", { class: "grid", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(tick), y2: y(tick) }));
        parts.push(svg("text", { x: MARGIN.left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)));
    }
    parts.push(svg("line", { class: "axis-line", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(0), y2: y(0) }));
    const band = inner.width / Math.max(labels.length, 1);
    const every = Math.ceil(labels.length / 7);
    labels.forEach((text, at) => {
        if (at % every !== 0) return;
        const x = MARGIN.left + band * (at + 0.5);
        parts.push(svg("text", { x, y: HEIGHT - MARGIN.bottom + 18, "text-anchor": "middle" }, label(text)));
    });
    return { parts, y, band };
}

function bars(labels, series) {
    const { parts, y, band } = axes(series.map((one) => one.values), labels);
    const width = (band * 0.8) / series.length;
    series.forEach((one, place) => {
        one.values.forEach((value, at) => {
            if (value === null) return;
            const x = MARGIN.left + band * (at + 0.1) + width * place;
            const rect = { class: `s${place + 1}`, x, y: Math.min(y(value), y(0)), width, height: Math.abs(y(value) - y(0)) };
            parts.push(svg("rect", rect, svg("title", {}, `${labels[at]} · ${one.name}: ${value}`)));
        });
    });
    return parts;
}

function lines(labels, series) {
    const { parts, y, band } = axes(series.map((one) => one.values), labels);
    series.forEach((one, place) => {
        let path = "";
        one.values.forEach((value, at) => {
            if (value === null) return;
            const x = MARGIN.left + band * (at + 0.5);
            path += `${at > 0 && one.values[at - 1] !== null ? "L" : "M"}${x.toFixed(1)} ${y(value).toFixed(1)}`;
            if (labels.length <= 120) {
                parts.push(svg("circle", { class: `s${place + 1}`, cx: x, cy: y(value), r: 2.5 }, svg("title", {}, `${labels[at]} · ${one.name}: ${value}`)));
            }
        });
        parts.push(svg("path", { class: `line s${place + 1}`, d: path }));
    });
    return parts;
}

/** Slices: names and shares of the first series, the smallest together. */
function slices(labels, values) {
    const all = labels.map((name, at) => ({ name, value: Math.max(0, values[at] ?? 0) })).sort((a, b) => b.value - a.value);
    const shown = all.length > ROWS_MAX.pie ? all.slice(0, ROWS_MAX.pie - 1) : all;
    const rest = all.slice(shown.length).reduce((sum, slice) => sum + slice.value, 0);
    if (rest > 0) shown.push({ name: t("others", "其他"), value: rest });
    return shown.filter((slice) => slice.value > 0);
}

function pie(found) {
    const total = found.reduce((sum, slice) => sum + slice.value, 0);
    const [cx, cy, radius] = [WIDTH / 2, HEIGHT / 2, HEIGHT / 2 - 8];
    let turn = -Math.PI / 2;
    return found.map((slice, at) => {
        const share = slice.value / total;
        const title = svg("title", {}, `${slice.name}: ${slice.value} (${(share * 100).toFixed(1)} %)`);
        const attributes = { class: `slice s${at + 1}` };
        if (share > 0.9999) return svg("circle", { ...attributes, cx, cy, r: radius }, title);
        const point = () => `${(cx + radius * Math.cos(turn)).toFixed(2)} ${(cy + radius * Math.sin(turn)).toFixed(2)}`;
        const from = point();
        turn += share * 2 * Math.PI;
        return svg("path", { ...attributes, d: `M${cx} ${cy}L${from}A${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${point()}Z` }, title);
    });
}

function legend(names) {
    const item = (name, at) => {
        const box = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `s${at + 1}`, width: 10, height: 10 }));
        return element("li", {}, box, element("bdi", {}, name));
    };
    return element("ul", { class: "legend" }, ...names.map(item));
}

/** The chart of this kind over column `x`. */
function chart(kind, columns, x) {
    const rows = Math.min(columns[x].texts.length, kind === "pie" ? 1000 : ROWS_MAX[kind]);
    const labels = columns[x].texts.slice(0, rows);
    const series = columns
        .filter((column, at) => at !== x && column.numeric)
        .slice(0, SERIES_MAX)
        .map((column) => ({ name: column.name, values: numbers(column, rows) }));
    if (series.length === 0) return element("p", { class: "hint" }, t("There is no column of numbers to draw.", "没有可绘制的数值列。"));
    const found = kind === "pie" ? slices(labels, series[0].values) : [];
    const parts = { bar: () => bars(labels, series), line: () => lines(labels, series), pie: () => pie(found) }[kind]();
    const drawn = kind === "pie" ? [series[0].name] : series.map((one) => one.name);
    const text = t(
        `${KINDS[kind]}: ${drawn.join(", ")} by ${columns[x].name}. The numbers are in the table below.`,
        `${KINDS[kind]}：${drawn.join("、")}，按 ${columns[x].name}。数据见下方表格。`,
    );
    const all = columns[x].texts.length;
    return element(
        "figure",
        {},
        svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": text }, ...parts),
        legend(kind === "pie" ? found.map((slice) => slice.name) : drawn),
        rows < all ? element("p", { class: "hint" }, t(`The first ${rows} of ${all} rows are drawn.`, `仅绘制前 ${rows} 行，共 ${all} 行。`)) : null,
    );
}

/** What is drawn unless somebody chooses: lines over time, bars over names. */
function usual(columns) {
    const rows = columns[0].texts.length;
    if (rows < 2 || columns.length < 2 || !columns.some((column) => column.numeric)) return { kind: "none", x: 0 };
    const name = columns.findIndex((column) => !column.numeric);
    const x = Math.max(name, 0);
    const time = /time|date|hour|minute|day|^t$/i.test(columns[x].name) || /^\d{4}-\d\d-\d\d/.test(columns[x].texts[0]);
    return { kind: time ? "line" : "bar", x };
}

function start(section, table) {
    const columns = read(table);
    if (columns.length === 0 || columns[0].texts.length === 0) return;
    const form = document.getElementById("query");
    const asked = new URLSearchParams(location.search);
    const before = usual(columns);
    let kind = Object.hasOwn(KINDS, asked.get("chart") ?? "") ? asked.get("chart") : before.kind;
    let x = columns.findIndex((column) => column.name === asked.get("x"));
    if (x < 0) x = before.x;
    const place = element("div", {});
    const draw = () => place.replaceChildren(kind === "none" ? "" : chart(kind, columns, x));
    const keep = (name, value) => {
        const url = new URL(location.href);
        url.searchParams.set(name, value);
        history.replaceState(null, "", url);
        form.querySelector(`input[name="${name}"]`)?.remove();
        form.append(element("input", { type: "hidden", name, value }));
        draw();
    };
    const choice = (name, text, options, chosen, change) =>
        element("label", {}, element("span", { class: "label" }, text), element("select", { name, onchange: change }, ...options.map(([value, title]) => element("option", { value, selected: value === chosen }, title))));
    section.append(
        element(
            "div",
            { class: "row" },
            choice("kind", t("Chart", "图表"), Object.entries(KINDS), kind, (event) => {
                kind = event.target.value;
                keep("chart", kind);
            }),
            choice("axis", t("Over", "横轴"), columns.map((column, at) => [String(at), column.name]), String(x), (event) => {
                x = Number(event.target.value);
                keep("x", columns[x].name);
            }),
        ),
        place,
    );
    section.hidden = false;
    draw();
}

const section = document.getElementById("chart");
const table = document.getElementById("answer");
if (section && table) start(section, table);
