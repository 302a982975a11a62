// Keeps the parts of a page that are marked with `data-live` up to date: asks for the page again and takes these parts
// out of the answer. The page is complete without it.

import { element, localTime, localTimes, t } from "./console.js";

/** Time between two looks, ms. */
const EVERY_MS = 2_000;
/** Longest such time while the console does not answer, ms. */
const PATIENCE_MS = 30_000;

const regions = [...document.querySelectorAll("[data-live][id]")];
const kept = `live ${location.pathname}`;

/** Whether somebody is busy with a part, so that it must not change under his hands. */
function busy(region) {
    const selection = document.getSelection();
    const selects = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
    return selects || region.contains(document.activeElement) || region.querySelector("details[open]");
}

/** What of a part is read from its end, as a log is. */
const endOf = (region) => region.querySelector("[data-end]");

/** What each part looked like when it was put in. */
const shown = new WeakMap();

/** Puts in what is new; who was at the end of a log stays there. */
function renew(region, fresh) {
    if (!fresh || busy(region) || shown.get(region) === fresh.innerHTML) return;
    shown.set(region, fresh.innerHTML);
    const before = endOf(region);
    const place = before?.scrollTop ?? 0;
    const atEnd = !before || before.scrollHeight - place - before.clientHeight < 4;
    region.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    localTimes(region);
    const log = endOf(region);
    if (log) log.scrollTop = atEnd ? log.scrollHeight : place;
}

async function look() {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const region of regions) renew(region, page.getElementById(region.id));
}

function toggle() {
    const said = element("span", { class: "quiet-text" });
    const button = element("button", { type: "button" }, t("Auto-refresh", "自动刷新"));
    let timer;
    let wait = EVERY_MS;
    const again = async () => {
        if (!document.hidden) {
            try {
                await look();
                wait = EVERY_MS;
                said.textContent = `${t("as of", "更新于")} ${localTime(new Date())}`;
            } catch (error) {
                wait = Math.min(wait * 2, PATIENCE_MS);
                said.textContent = `${t("cannot be refreshed:", "无法刷新：")} ${error.message}`;
            }
        }
        if (button.getAttribute("aria-pressed") === "true") timer = setTimeout(again, wait);
    };
    const set = (on) => {
        clearTimeout(timer);
        button.setAttribute("aria-pressed", String(on));
        sessionStorage.setItem(kept, on ? "on" : "off");
        if (on) again();
    };
    button.addEventListener("click", () => set(button.getAttribute("aria-pressed") !== "true"));
    regions[0].before(element("div", { class: "row live" }, button, said));
    set((sessionStorage.getItem(kept) ?? regions[0].dataset.live) === "on");
}

for (const log of document.querySelectorAll("[data-end]")) log.scrollTop = log.scrollHeight;
if (regions.length > 0) toggle();
