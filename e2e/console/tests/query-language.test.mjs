// Parts of the query page that know no page: colours of a query, conditions made of values, completion.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clause, narrowed } from "../../../mock-sls/src/console/assets/clause.js";
import { pieces, searchEnd } from "../../../mock-sls/src/console/assets/colour.js";
import { suggestions } from "../../../mock-sls/src/console/assets/complete.js";

/** A query as its pieces with their kinds, without blanks. */
const coloured = (query) => pieces(query).filter(([, kind]) => kind !== "space").map(([text, kind]) => `${kind}(${text})`).join(" ");

test("a search and SQL have their colours", () => {
    assert.equal(
        coloured('status:404 and not "a key" : "x\\"|y" or n in [1 2)'),
        'key(status) operator(:) number(404) keyword(and) keyword(not) key("a key") operator(:) string("x\\"|y") keyword(or) key(n) keyword(in) operator([) number(1) number(2) operator())',
    );
    assert.equal(
        coloured("* | select count(*) as \"n\", 'it''s' -- end\nfrom log"),
        "word(*) pipe(|) keyword(select) function(count) operator(() operator(*) operator()) keyword(as) key(\"n\") operator(,) string('it''s') comment(-- end) keyword(from) word(log)",
    );
    assert.equal(coloured("a\\:b #\"phrase\""), 'word(a\\:b) string(#"phrase")');
});

test("every text is cut into pieces without loss", () => {
    for (const query of ['"open', "a|b|c", "'", "| '", '"\\', "\\", "城市:上海 | select 城市", "/* open", "|/* open", "😀:\"😀\"", ")(][", "\0\n\t"]) {
        assert.equal(pieces(query).map(([text]) => text).join(""), query);
    }
    assert.equal(searchEnd('a:"|" | b'), 6);
    assert.equal(searchEnd("a\\| b"), 5);
});

const index = { fields: new Map(Object.entries({ status: "long", path: "text", "my key": "text", and: "text" })), line: true };

test("a value becomes a condition that finds it", () => {
    assert.equal(clause("status", "404", index), "status = 404");
    assert.equal(clause("status", "x", index), null);
    assert.equal(clause("path", 'a "b" \\ c', index), 'path:"a \\"b\\" \\\\ c"');
    assert.equal(clause("my key", "", index), '"my key":""');
    assert.equal(clause("and", "x", index), '"and":"x"');
    assert.equal(clause("__tag__:__path__", "/x", index), '__tag__:__path__:"/x"');
    assert.equal(clause("__tag__:my key", "x", index), '__tag__:"my key":"x"');
    assert.equal(clause("other", "x y", index), '"x y"');
    assert.equal(clause("other", "x y", { ...index, line: false }), null);
    assert.equal(clause("path", "x".repeat(501), index), null);
});

test("a condition narrows whatever is asked", () => {
    assert.equal(narrowed("", "a:1", false), "a:1");
    assert.equal(narrowed(" * ", "a:1", true), "not a:1");
    assert.equal(narrowed("x", "a:1", true), "x and not a:1");
    assert.equal(narrowed("x OR y", "a:1", false), "(x OR y) and a:1");
    assert.equal(narrowed('"x or y"', "a:1", false), '"x or y" and a:1');
    assert.equal(narrowed("x | select 1", "a:1", false), "x and a:1 | select 1");
    assert.equal(narrowed("* | select 1", "a:1", false), "a:1 | select 1");
});

test("completion offers fields where fields stand", () => {
    const offered = (query) => suggestions(query, query.length, index.fields).items.map((item) => item.insert);
    assert.equal(offered("sta")[0], "status ");
    assert.equal(offered("x and pat")[0], "path:");
    assert.deepEqual(offered("path:pa"), []);
    assert.deepEqual(offered('path:"pa'), []);
    assert.ok(offered("* | select my")[0] === '"my key"');
    assert.ok(offered("* | sel").includes("select "));
    assert.ok(offered("* | select cou").includes("count("));
    assert.deepEqual(offered("* | select 'sta"), []);
    assert.equal(suggestions("x and pat", 9, index.fields).from, 6);
});
