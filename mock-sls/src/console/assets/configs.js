// The wizard of collection configs: previews what is typed, and has a row for each key that the parser needs.

import { csrf, element, t } from "./console.js";

/** How long nothing must be typed before the server is asked, in milliseconds. */
const PAUSE = 350;

const form = document.querySelector("#wizard");
const preview = document.querySelector("#preview");
const path = document.querySelector("#preview-at").dataset.path;

let pause = 0;
let asking = new AbortController();

/** Asks the server what becomes of the form as it stands, and shows it. */
async function show() {
    asking.abort();
    asking = new AbortController();
    const headers = { accept: "text/html", "x-csrf": csrf };
    try {
        const response = await fetch(path, {
            method: "POST", headers, body: new URLSearchParams(new FormData(form)), signal: asking.signal,
        });
        // Written by the server, which escapes what logs hold; the policy of the page runs no script in it.
        const answer = new DOMParser().parseFromString(await response.text(), "text/html");
        const shown = answer.querySelector("[data-keys]") ?? answer.querySelector("main .notice");
        if (!shown) return;
        const open = preview.querySelector("details")?.open ?? false;
        const made = document.importNode(shown, true);
        const details = made.querySelector("details");
        if (details) details.open = open;
        preview.replaceChildren(...made.childNodes);
        if (shown.dataset.keys !== undefined) rows(Number(shown.dataset.keys));
        beside();
    } catch (error) {
        if (error.name !== "AbortError") preview.replaceChildren(element("p", { class: "error" }, error.message));
    }
}

/** Makes as many rows for keys as are needed; rows with a key stay. */
function rows(wanted) {
    const list = document.querySelector("#keys ol");
    if (!list) return;
    while (list.children.length < Math.min(wanted, 200)) {
        const number = list.children.length + 1;
        const input = element("input", {
            class: "code", name: "key", autocomplete: "off", spellcheck: "false", "aria-label": t(`Key ${number}`, `Key ${number}`),
        });
        list.append(element("li", {}, input, element("output", { class: "captured" })));
    }
    while (list.children.length > Math.max(wanted, 1) && list.lastElementChild.querySelector("input").value === "") {
        list.lastElementChild.remove();
    }
}

/** Shows beside each key what the first log has in it. */
function beside() {
    const values = [...preview.querySelectorAll("#captured li")].map((item) => item.textContent);
    document.querySelectorAll("#keys output").forEach((output, at) => (output.textContent = values[at] ?? ""));
}

form.addEventListener("input", (event) => {
    if (event.target.name === "mode") return;
    clearTimeout(pause);
    pause = setTimeout(show, PAUSE);
});
form.querySelector("#show").addEventListener("click", (event) => {
    event.preventDefault();
    show();
});
form.querySelector("#mode").addEventListener("change", () => {
    form.requestSubmit(form.querySelector('button[value="mode"]'));
});
beside();
