// Conditions made of a value that was clicked: how it is quoted, and how a query takes it. Knows no page.

import { searchEnd } from "./colour.js";

/** Longest value that becomes a condition, in characters: an address must hold it. */
const VALUE_CHARS_MAX = 500;
const NUMBER = /^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?$/;
/** Fields that can be searched without being in the index. */
const ALWAYS = /^(__topic__|__source__|__tag__:.+)$/;

/** `text` in double quotes. */
export function quoted(text) {
    return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** The name of a field as a key of a search. */
export function key(name) {
    if (name.startsWith("__tag__:")) return `__tag__:${key(name.slice("__tag__:".length))}`;
    const plain = /^[^\s()[\]":<>=|\\#*?']+$/u.test(name) && !/^(and|or|not|in)$/i.test(name);
    return plain ? name : quoted(name);
}

/**
 * The condition that a field has this value; null if there is none, as the field has no index.
 * @param {string} name
 * @param {string} value
 * @param {{fields: Map<string, string>, line: boolean}} index types of the indexed fields, and whether all text is
 * indexed
 * @returns {string | null}
 */
export function clause(name, value, { fields, line }) {
    if (value.length > VALUE_CHARS_MAX) return null;
    const kind = fields.get(name) ?? (ALWAYS.test(name) ? "text" : undefined);
    if (kind === "long" || kind === "double") return NUMBER.test(value) ? `${key(name)} = ${value}` : null;
    if (kind !== undefined) return `${key(name)}:${quoted(value)}`;
    // Without an index of its own the field is part of the text, if that is indexed.
    return line && value.trim() !== "" ? quoted(value) : null;
}

/**
 * The query with one more condition.
 * @param {string} query
 * @param {string} condition
 * @param {boolean} excluded whether it must not hold
 */
export function narrowed(query, condition, excluded) {
    const end = searchEnd(query);
    const search = query.slice(0, end).trim();
    const tail = query.slice(end);
    const added = excluded ? `not ${condition}` : condition;
    const all = search === "" || search === "*" ? added : `${hasOr(search) ? `(${search})` : search} and ${added}`;
    return tail === "" ? all : `${all} ${tail}`;
}

/** Whether a search has an `or` outside quotes. */
function hasOr(search) {
    return /(^|[\s()"])or([\s()"]|$)/i.test(search.replace(/"(?:[^"\\]|\\.)*"/gs, '""'));
}
