// The box that queries are written in: colours, completion, and what is wrong while it is written.

import { ask, element, t } from "./console.js";
import { pieces } from "./colour.js";
import { suggestions } from "./complete.js";

/** Wait after the last key before the query is checked, ms. */
const CHECK_MS = 350;
/** Longest query that is coloured, characters. */
const COLOURED_MAX = 20_000;

/** Where a character, counted as people do, is in a text of JavaScript. */
const unit = (text, character) => [...text].slice(0, character).join("").length;

/**
 * Makes the box of a form more than a text field.
 * @param {HTMLFormElement} form
 * @param {Map<string, string>} fields indexed fields and their types
 * @returns {{set: (query: string) => void}}
 */
export function searchBox(form, fields) {
    const text = form.elements.q;
    const box = text.parentElement;
    const colours = element("pre", { class: "colours", "aria-hidden": "true" });
    const problem = element("p", { class: "error query-problem", id: "query-problem", "aria-live": "polite" });
    const list = element("ul", { class: "suggestions", id: "suggestions", role: "listbox", "aria-label": t("Suggestions", "建议"), hidden: true });
    box.prepend(colours);
    box.append(list);
    box.classList.add("coloured");
    box.closest(".query-row").after(problem);
    Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false", "aria-haspopup": "listbox" }).forEach(([name, value]) => text.setAttribute(name, value));
    text.setAttribute("aria-describedby", "query-error query-problem");

    let wrong = null;
    let offered = { from: 0, items: [] };
    let chosen = -1;
    let timer = 0;
    let checking = null;

    function paint() {
        const query = text.value;
        const nodes = [];
        let at = 0;
        const found = query.length > COLOURED_MAX ? [[query, "word"]] : pieces(query);
        for (const [piece, kind] of found) {
            const [from, to] = wrong ? [Math.max(wrong.from, at) - at, Math.min(wrong.to, at + piece.length) - at] : [0, 0];
            const part = (start, end, bad) => start < end && nodes.push(element("span", { class: bad ? `${kind} wrong` : kind }, piece.slice(start, end)));
            if (from < to) {
                part(0, from, false);
                part(from, to, true);
                part(to, piece.length, false);
            } else part(0, piece.length, false);
            at += piece.length;
        }
        if (wrong && wrong.from >= query.length) nodes.push(element("span", { class: "wrong" }, " "));
        // So that a last line end takes its line, as it does in the field.
        nodes.push("\u200b");
        colours.replaceChildren(...nodes);
        text.style.height = "auto";
        text.style.height = `${text.scrollHeight + 2}px`;
    }

    function setWrong(error) {
        const known = typeof error?.from === "number";
        wrong = known ? { from: unit(text.value, error.from), to: Math.max(unit(text.value, error.to), unit(text.value, error.from) + 1) } : null;
        problem.textContent = error ? (error.message ?? "") : "";
        if (error) text.setAttribute("aria-invalid", "true");
        else text.removeAttribute("aria-invalid");
        paint();
    }

    async function check() {
        checking?.abort();
        checking = new AbortController();
        try {
            const query = new URLSearchParams({ q: text.value });
            const { error } = await ask(`${form.dataset.path}/check?${query}`, { signal: checking.signal });
            setWrong(error);
        } catch {
            // Whoever searches is told; a check that fails says nothing.
        }
    }

    function close() {
        list.hidden = true;
        chosen = -1;
        offered = { from: 0, items: [] };
        text.setAttribute("aria-expanded", "false");
        text.removeAttribute("aria-activedescendant");
    }

    function choose(at) {
        chosen = at;
        [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === at)));
        if (at >= 0) {
            text.setAttribute("aria-activedescendant", `suggestion-${at}`);
            list.children[at].scrollIntoView({ block: "nearest" });
        } else text.removeAttribute("aria-activedescendant");
    }

    function offer() {
        offered = suggestions(text.value, text.selectionStart, fields);
        if (offered.items.length === 0) return close();
        const option = (item, at) =>
            element("li", { role: "option", id: `suggestion-${at}`, "aria-selected": "false", onpointerdown: (event) => {
                event.preventDefault();
                accept(at);
            } }, item.text, element("small", {}, item.kind));
        list.replaceChildren(...offered.items.map(option));
        list.hidden = false;
        text.setAttribute("aria-expanded", "true");
        choose(-1);
    }

    function accept(at) {
        const { from, items } = offered;
        text.setRangeText(items[at].insert, from, text.selectionStart, "end");
        close();
        changed();
    }

    function changed() {
        wrong = null;
        problem.textContent = "";
        text.removeAttribute("aria-invalid");
        paint();
        clearTimeout(timer);
        timer = setTimeout(check, CHECK_MS);
    }

    text.addEventListener("input", () => {
        changed();
        offer();
    });
    text.addEventListener("blur", close);
    text.addEventListener("keydown", (event) => {
        if (event.isComposing) return;
        const open = !list.hidden;
        if (event.key === "Escape" && open) {
            event.preventDefault();
            close();
        } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
            event.preventDefault();
            const count = offered.items.length;
            choose((chosen + (event.key === "ArrowDown" ? 1 : chosen < 0 ? count : count - 1)) % count);
        } else if (open && chosen >= 0 && (event.key === "Enter" || event.key === "Tab")) {
            event.preventDefault();
            accept(chosen);
        } else if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            form.requestSubmit();
        } else if (event.key === " " && event.ctrlKey) {
            event.preventDefault();
            offer();
        }
    });
    new ResizeObserver(paint).observe(box);

    const refused = document.querySelector("#query-error[data-from]");
    if (refused) setWrong({ from: Number(refused.dataset.from), to: Number(refused.dataset.to) });
    else paint();

    return {
        set(query) {
            text.value = query;
            close();
            changed();
        },
    };
}
