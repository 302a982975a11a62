// The histogram: arrow keys between its bars, and dragging over them, which shows that part of the time.

import { localTime, t } from "./console.js";

const plot = document.getElementById("plot");
const bars = [...(plot?.querySelectorAll(".bars button") ?? [])];
const bounds = bars.map((bar) => bar.value.split("-").map(Number));

/** Shows the time from one bar to another. */
function zoom(first, last) {
    const [from, to] = first < last ? [first, last] : [last, first];
    const bar = bars[from];
    bar.value = `${bounds[from][0]}-${bounds[to][1]}`;
    bar.form.requestSubmit(bar);
}

function mark(first, last) {
    const [from, to] = first < last ? [first, last] : [last, first];
    bars.forEach((bar, at) => bar.classList.toggle("within", first !== null && at >= from && at <= to));
}

function name(bar, at) {
    const [from, to] = bounds[at].map((second) => localTime(new Date(second * 1000)));
    bar.setAttribute("aria-label", `${from} – ${to}: ${bar.dataset.count} ${t("logs", "条日志")}`);
    bar.title = `${from}\n${to}\n${bar.dataset.count} ${t("logs", "条日志")}`;
}

if (plot) {
    document.querySelector(".axis .drag")?.removeAttribute("hidden");
    bars.forEach(name);
    // One stop of the Tab key for all bars; the arrows lead on.
    bars.forEach((bar, at) => (bar.tabIndex = at === 0 ? 0 : -1));
    let start = null;
    plot.addEventListener("keydown", (event) => {
        const at = bars.indexOf(document.activeElement);
        const step = { ArrowLeft: -1, ArrowRight: 1, Home: -bars.length, End: bars.length }[event.key];
        if (event.key === "Escape") {
            start = null;
            mark(null, null);
        }
        if (at < 0 || step === undefined) {
            if (event.key === "Enter" && start !== null && at >= 0) {
                event.preventDefault();
                zoom(start, at);
            }
            return;
        }
        event.preventDefault();
        const next = Math.max(0, Math.min(bars.length - 1, at + step));
        if (event.shiftKey) start ??= at;
        else start = null;
        bars[at].tabIndex = -1;
        bars[next].tabIndex = 0;
        bars[next].focus();
        mark(start, start === null ? null : next);
    });

    let dragged = null;
    const under = (event) => {
        const box = plot.getBoundingClientRect();
        const at = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
        return Math.max(0, Math.min(bars.length - 1, at));
    };
    plot.addEventListener("pointerdown", (event) => {
        if (event.button === 0) dragged = { first: under(event), last: under(event), moved: false };
    });
    document.addEventListener("pointermove", (event) => {
        if (!dragged) return;
        dragged.last = under(event);
        dragged.moved ||= dragged.last !== dragged.first;
        if (dragged.moved) mark(dragged.first, dragged.last);
    });
    document.addEventListener("pointerup", () => {
        const done = dragged;
        dragged = null;
        if (done?.moved) zoom(done.first, done.last);
    });
    document.addEventListener("pointercancel", () => {
        dragged = null;
        mark(null, null);
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && dragged) {
            dragged = null;
            mark(null, null);
        }
    });
}
