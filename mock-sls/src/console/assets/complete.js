// What can be written at a place of a query: names of fields, and words of the language. Knows no page.

import { FUNCTIONS, SQL_WORDS, searchEnd } from "./colour.js";
import { key } from "./clause.js";

/** Suggestions at a time. */
const SUGGESTIONS_MAX = 12;
const SEARCH_WORDS = ["and", "or", "not", "in [ ]"];
const RESERVED = ["__topic__", "__source__", "__tag__:"];

/**
 * Suggestions for the word that ends at `caret`: what to write instead of `query.slice(from, caret)`.
 * @param {string} query
 * @param {number} caret
 * @param {Map<string, string>} fields names and types
 * @returns {{from: number, items: {text: string, insert: string, kind: string}[]}}
 */
export function suggestions(query, caret, fields) {
    const end = searchEnd(query);
    const sql = caret > end;
    const before = query.slice(sql ? end : 0, caret);
    if (quotes(before, '"') || (sql && quotes(before, "'"))) return { from: caret, items: [] };
    const word = /[^\s()[\]":<>=|,'+*/-]*$/u.exec(before)[0];
    const from = caret - word.length;
    // Behind `key:` stands a value, which nothing here knows.
    if (!sql && /[:<>=]\s*$/.test(before.slice(0, before.length - word.length))) return { from, items: [] };
    if (word === "") return { from, items: [] };
    const names = [...fields].map(([name, kind]) => {
        const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
        const insert = sql ? (plain ? name : `"${name.replaceAll('"', '""')}"`) : `${key(name)}${kind === "text" || kind === "json" ? ":" : " "}`;
        return { text: name, insert, kind };
    });
    const words = sql
        ? [
              ...SQL_WORDS.map((text) => ({ text, insert: `${text} `, kind: "sql" })),
              ...FUNCTIONS.map((text) => ({ text, insert: `${text}(`, kind: "function" })),
          ]
        : [
              ...RESERVED.map((text) => ({ text, insert: text.endsWith(":") ? text : `${text}:`, kind: "text" })),
              ...SEARCH_WORDS.map((text) => ({ text, insert: text.startsWith("in") ? "in [" : `${text} `, kind: "search" })),
          ];
    const small = word.toLowerCase();
    const rank = (text) => {
        const at = text.toLowerCase().indexOf(small);
        return at < 0 ? 2 : Math.min(at, 1);
    };
    const fits = (item) => rank(item.text) < 2 && item.text.toLowerCase() !== small;
    const items = [...names, ...words].filter(fits).sort((a, b) => rank(a.text) - rank(b.text));
    return { from, items: items.slice(0, SUGGESTIONS_MAX) };
}

/** Whether the text ends inside these quotes. */
function quotes(text, mark) {
    let open = false;
    for (let at = 0; at < text.length; at += 1) {
        if (text[at] === "\\" && mark === '"') at += 1;
        else if (text[at] === mark) open = !open;
    }
    return open;
}
