// Colours of the query language: cuts a query into pieces of a kind. Knows no page, so that it can be tested alone.

/** Words of SQL and of pipelines that have a meaning of their own. */
export const SQL_WORDS = (
    "select from where group by order limit having as and or not in is null like between case when then else end " +
    "distinct desc asc with join left right inner outer cross on union all over partition cast try_cast true false " +
    "interval exists unnest parse-json parse-regexp parse-csv parse-kv project project-away project-rename extend expand-values"
).split(" ");

/** Functions that completion offers. */
export const FUNCTIONS = (
    "count sum avg min max approx_distinct approx_percentile count_if arbitrary max_by min_by date_trunc date_format " +
    "from_unixtime to_unixtime now time_series split_part concat substr lower upper length replace strpos " +
    "regexp_extract regexp_like regexp_replace json_extract json_extract_scalar coalesce if round floor ceiling compare " +
    "ip_to_country ip_to_province ip_to_city ip_to_provider url_extract_path url_extract_host"
).split(" ");

const SEARCH_WORDS = new Set(["and", "or", "not", "in"]);
const sqlWords = new Set(SQL_WORDS);

/**
 * Where the search ends: at the first pipe outside double quotes, or at the end.
 * @param {string} query
 */
export function searchEnd(query) {
    let quoted = false;
    for (let at = 0; at < query.length; at += 1) {
        const c = query[at];
        if (c === "\\") at += 1;
        else if (c === '"') quoted = !quoted;
        else if (c === "|" && !quoted) return at;
    }
    return query.length;
}

/**
 * The pieces of a query, in order and without gaps: [text, kind]. Kinds: key, word, string, number, keyword, function,
 * comment, operator, pipe, space.
 * @param {string} query
 * @returns {[string, string][]}
 */
export function pieces(query) {
    const end = searchEnd(query);
    return [...cut(query.slice(0, end), SEARCH), ...cut(query.slice(end), SQL)];
}

const NUMBER = /^[-+]?\d+(\.\d+)?$/;

/** Patterns of a language, and what a match is. All are sticky; the last takes whatever is left. */
const SEARCH = [
    [/\s+/y, () => "space"],
    [/#?"(?:[^"\\]|\\[^])*"?/y, (text, rest) => (/^\s*[:<>=]/.test(rest) && !text.startsWith("#") ? "key" : "string")],
    [/[()[\]]|[<>]=?|=|:/y, () => "operator"],
    [
        /(?:[^\s()[\]":<>=|\\]|\\[^]|\\$)+/y,
        (text, rest) => {
            if (/^\s*[:<>=]|^\s+in\s*[[(]/.test(rest)) return "key";
            if (SEARCH_WORDS.has(text.toLowerCase())) return /^\s*[[(]/.test(rest) || text.toLowerCase() !== "in" ? "keyword" : "word";
            return NUMBER.test(text) ? "number" : "word";
        },
    ],
    [/[^]/y, () => "word"],
];
const SQL = [
    [/\s+/y, () => "space"],
    [/--[^\n]*|\/\*[^]*?(?:\*\/|$)/y, () => "comment"],
    [/'(?:[^']|'')*'?/y, () => "string"],
    [/"[^"]*"?/y, () => "key"],
    [/\|/y, () => "pipe"],
    [/\d+(?:\.\d+)?/y, () => "number"],
    [
        /[\p{L}_][\p{L}\p{N}_]*(?:-(?:json|regexp|csv|kv|away|rename|values)\b)?/uy,
        (text, rest) => {
            if (sqlWords.has(text.toLowerCase())) return "keyword";
            return /^\s*\(/.test(rest) ? "function" : "word";
        },
    ],
    [/[^]/y, () => "operator"],
];

function cut(text, language) {
    const found = [];
    let at = 0;
    while (at < text.length) {
        for (const [pattern, kind] of language) {
            pattern.lastIndex = at;
            const match = pattern.exec(text);
            if (!match) continue;
            at += match[0].length;
            // What follows decides about few kinds, and only its beginning does.
            found.push([match[0], kind(match[0], text.slice(at, at + 40))]);
            break;
        }
    }
    return found;
}
