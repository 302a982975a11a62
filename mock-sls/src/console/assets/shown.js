// Texts of logs on the page: what the server does for those it shows (query/shown.rs), for those that scripts show.

import { element, t } from "./console.js";

/** Characters that cannot be seen, or that act on the text around them; line ends and tabs are neither. */
const UNSEEN =
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]+/gu;

/** What is shown instead of such a character. */
function picture(c) {
    const code = c.codePointAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

/**
 * A text as nodes.
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
export function shown(text) {
    const nodes = [];
    let at = 0;
    for (const match of text.matchAll(UNSEEN)) {
        if (match.index > at) nodes.push(text.slice(at, match.index));
        nodes.push(element("span", { class: "ctl" }, [...match[0]].map(picture).join("")));
        at = match.index + match[0].length;
    }
    nodes.push(text.slice(at));
    return nodes;
}

/**
 * The fields of a log: `[name, value]`, and where the value is cut the size of all of it, which is on `page`.
 * @param {[string, string, number?][]} fields
 * @param {string} page
 */
export function fieldList(fields, page) {
    const list = element("dl", { class: "fields" });
    for (const [name, value, bytes] of fields) {
        const whole = () => element("a", { class: "whole", href: page, "data-field": name }, t(`show all (${bytes} bytes)`, `显示全部（${bytes} 字节）`));
        const rest = bytes === undefined ? [] : ["… ", whole()];
        const text = element("bdi", { class: "value" }, ...shown(value));
        list.append(element("div", {}, element("dt", {}, element("bdi", {}, ...shown(name))), element("dd", {}, text, ...rest)));
    }
    return list;
}
