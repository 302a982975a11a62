// What all pages of the console share: questions before dangerous buttons, times in the zone of the browser.

/** Language of the page. */
export const zh = document.documentElement.lang.startsWith("zh");

/** The text in the language of the page. */
export const t = (english, chinese) => (zh ? chinese : english);

/** What forms and requests that change something must carry. */
export const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

/**
 * Asks the console for JSON; `form` makes it a POST. Throws an Error with `code` and `status` if refused.
 * @param {string} path
 * @param {{form?: Record<string, string>, signal?: AbortSignal}} [options]
 */
export async function ask(path, { form, signal } = {}) {
    const headers = { accept: "application/json" };
    if (form) headers["x-csrf"] = csrf;
    const body = form && new URLSearchParams(form);
    const response = await fetch(path, { method: form ? "POST" : "GET", headers, body, signal });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
        const error = new Error(answer.errorMessage ?? `HTTP ${response.status}`);
        throw Object.assign(error, { code: answer.errorCode, status: response.status });
    }
    return answer;
}

/**
 * Makes an element; texts are never read as HTML.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes] `class`, `data-…`, `onclick` and so on
 * @param {...(Node | string | null | undefined)} children
 */
export function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
        else if (value === true) made.setAttribute(key, "");
        else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

/** Shows the times below `root` in the zone of the browser. */
export function localTimes(root = document) {
    for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
        const date = new Date(time.dateTime);
        if (Number.isNaN(date.getTime())) continue;
        time.title = time.dateTime;
        time.textContent = localTime(date);
    }
}

const two = (number) => String(number).padStart(2, "0");

/** `2026-01-31 09:05:00` in the zone of the browser. */
export function localTime(date) {
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

document.addEventListener("submit", (event) => {
    const question = event.target.dataset?.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
});

localTimes();
