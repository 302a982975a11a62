// The query page of a Logstore: what its scripts add to a page that is whole without them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, fits, open, visit } from "../support/browser.mjs";
import { start } from "../support/emulator.mjs";

const PROJECT = "query-demo";
let emulator, browser;
const url = (logstore, fields = {}) => `${emulator.console}/projects/${PROJECT}/logstores/${logstore}?${new URLSearchParams({ range: "1h", ...fields })}`;
const now = () => Math.floor(Date.now() / 1000);
const count = async (page) => Number(await page.locator("#found").innerText());

before(async () => {
    emulator = await start();
    browser = await open();
    await emulator.logstore(PROJECT, "access", { status: "long", method: "text", uri: "text", cost: "double" });
    const logs = Array.from({ length: 300 }, (_, at) => ({
        time: now() - 600 + at * 2,
        status: String([200, 200, 200, 404, 502][at % 5]),
        method: at % 3 ? "GET" : "POST",
        uri: `/item/"${at % 4}"\\x`,
        cost: `0.${at}`,
    }));
    await emulator.put(PROJECT, "access", logs, { tags: { __path__: "/var/log/access.log", __pack_id__: "5F0A1B2C3D4E5F60-1" } });
    await emulator.logstore(PROJECT, "hostile", { message: "text" });
    await emulator.logstore(PROJECT, "live", { n: "long" });
});
after(async () => {
    await browser?.close();
    await emulator?.stop();
});

test("a query is coloured, completed, and marked where it is wrong", async () => {
    const page = await visit(browser, url("access"));
    const box = page.getByRole("combobox", { name: "Query" });
    await box.click();
    await page.keyboard.type("stat");
    await page.getByRole("option", { name: "status" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await box.inputValue(), "status ");
    await page.keyboard.type("> 300 and nope:1");
    assert.equal(await page.locator(".colours .keyword").innerText(), "and");
    await page.getByText("key (nope) is not config").waitFor();
    assert.equal(await page.locator(".colours .wrong").innerText(), "nope");
    assert.equal(await box.getAttribute("aria-invalid"), "true");
    page.expectedRefusals.push(400);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    const refused = page.getByRole("alert").filter({ hasText: "The query is refused" });
    await refused.waitFor();
    assert.equal(await refused.locator("mark").innerText(), "nope");
    assert.equal(await page.locator(".colours .wrong").innerText(), "nope");
    await accessible(page, "a refused query");
    await page.close();
});

test("the histogram zooms by dragging and by the keyboard", async () => {
    const page = await visit(browser, url("access", { range: "15m" }));
    assert.equal(await count(page), 300);
    const plot = await page.locator("#plot").boundingBox();
    const y = plot.y + plot.height / 2;
    await page.mouse.move(plot.x + plot.width * 0.5, y);
    await page.mouse.down();
    await page.mouse.move(plot.x + plot.width * 0.6, y, { steps: 5 });
    await page.mouse.move(plot.x + plot.width * 0.7, y, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/range=fixed/);
    const zoomed = await count(page);
    assert.ok(zoomed > 20 && zoomed < 200, `${zoomed} logs after dragging`);
    const fullest = page.locator(".bars button:not([data-count='0'])").first();
    const expected = Number(await fullest.getAttribute("data-count"));
    await fullest.focus();
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.equal(await count(page), expected);
    await page.goBack();
    await page.goBack();
    assert.equal(await count(page), 300);
    const first = page.locator(".bars button").first();
    await first.focus();
    await page.keyboard.press("End");
    assert.equal(await page.evaluate(() => document.activeElement.nextElementSibling), null);
    await page.keyboard.press("Shift+Home");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.match(page.url(), /range=fixed/);
    assert.equal(await count(page), 300);
    await page.close();
});

test("a value narrows the query, however it is written", async () => {
    const page = await visit(browser, url("access", { q: "status = 404 | with_pack_meta"}));
    const all = await count(page);
    await page.locator(".log summary").first().click();
    const value = page.locator(".log details[open] .value").filter({ hasText: '/item/"' });
    const text = await value.innerText();
    await value.click();
    await Promise.all([page.waitForNavigation(), page.getByRole("menuitem", { name: "Add to the query" }).click()]);
    const some = await count(page);
    assert.ok(some > 0 && some < all, `${some} of ${all} logs have ${text}`);
    const quoted = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    assert.equal(await page.locator("#q").inputValue(), `status = 404 and uri:"${quoted}" | with_pack_meta`);
    // With the keyboard, the other way round.
    await page.goto(url("access", { q: "status = 404"}));
    await page.locator(".log summary").first().press("Enter");
    await page.locator(".log details[open] .value").filter({ hasText: text }).press("Enter");
    await page.keyboard.press("ArrowDown");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.equal(await count(page), all - some);
    await page.close();
});

test("columns are chosen and kept, and a link shows the same", async () => {
    const page = await visit(browser, url("access"));
    await page.getByText("Columns", { exact: true }).click();
    for (const name of ["status", "uri"]) await page.getByRole("checkbox", { name, exact: true }).check();
    await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "Show", exact: true }).click()]);
    assert.deepEqual(await page.locator("table.cells th[data-field]").allInnerTexts(), ["status", "uri"]);
    const rows = await page.locator("table.cells tbody").innerText();
    // Another visit remembers them.
    await page.goto(url("access"));
    await Promise.all([page.waitForNavigation(), page.getByRole("link", { name: "Table", exact: true }).click()]);
    assert.deepEqual(await page.locator("table.cells th[data-field]").allInnerTexts(), ["status", "uri"]);
    const link = await page.locator("[data-copy]").getAttribute("data-copy");
    const other = await visit(browser, emulator.console + link);
    assert.equal(await other.locator("table.cells tbody").innerText(), rows);
    await other.close();
    await page.close();
});

test("rows of SQL are drawn", async () => {
    const sql = "* | select status, count(*) as hits, avg(cost) as cost group by status order by status";
    const page = await visit(browser, url("access", { q: sql }));
    const chart = page.getByRole("region", { name: "Chart" });
    assert.equal(await page.locator("#answer tbody tr").count(), 3);
    for (const [kind, marks, parts] of [["Bars", "rect:not(.legend rect)", 6], ["Lines", "path.line", 2], ["Pie", "path.slice", 3]]) {
        await chart.getByLabel("Chart").selectOption({ label: kind });
        assert.equal(await chart.locator(`figure > svg ${marks}`).count(), parts, kind);
        assert.match(await chart.getByRole("img").getAttribute("aria-label"), /by status/);
    }
    assert.deepEqual(await chart.locator(".legend li").allInnerTexts(), ["200", "404", "502"]);
    await accessible(page, "a chart");
    await page.reload();
    assert.equal(await chart.locator("figure > svg path.slice").count(), 3);
    await chart.getByLabel("Chart").selectOption({ label: "Table only" });
    assert.equal(await chart.locator("figure").count(), 0);
    await page.close();
});

test("queries are remembered, and kept under names", async () => {
    const page = await visit(browser, url("access", { q: "method:POST" }));
    await page.goto(url("access", { q: "status = 502" }));
    await page.getByText("History", { exact: true }).click();
    await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "method:POST" }).click()]);
    assert.equal(await page.locator("#q").inputValue(), "method:POST");
    await page.getByText(/^Saved searches/).click();
    await page.getByLabel("Keep this query as").fill("all-posts");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("The query is saved.").waitFor();
    await page.goto(url("access"));
    await page.getByText("Saved searches (1)").click();
    await page.getByRole("link", { name: "all-posts" }).click();
    await page.waitForURL(/q=method%3APOST/);
    const saved = await emulator.call("GET", PROJECT, "/savedsearches/all-posts");
    assert.equal(saved.searchQuery, "method:POST");
    await page.close();
});

test("a log has its context and its own page", async () => {
    const page = await visit(browser, url("access", { q: "status = 502" }));
    await page.locator(".log summary").nth(3).click();
    await page.getByRole("link", { name: "Context", exact: true }).click();
    await page.getByRole("heading", { name: "Context of a log" }).waitFor();
    assert.equal(await page.locator(".log").count(), 21);
    assert.match(await page.locator(".log[aria-current]").innerText(), /502/);
    await accessible(page, "a context");
    await Promise.all([page.waitForNavigation(), page.getByRole("link", { name: "More before" }).click()]);
    assert.equal(await page.locator(".log").count(), 41);
    await page.close();
});

test("hostile logs do nothing and break nothing", async () => {
    const time = now() - 5;
    const long = "long ".repeat(200_000);
    for (const message of [
        "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">",
        "a\0b \u001b[31mred\u001b[0m \u001b]0;title\u0007",
        "\u202egpj.exe \u2066isolated שלום مرحبا",
        "\0".repeat(1_000_000),
        Buffer.from([0xff, 0xfe, 0x80]),
        "=HYPERLINK(\"http://evil.example\")",
        long,
    ]) await emulator.put(PROJECT, "hostile", [{ time, message }]);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`field${at}`, `value ${at}`]));
    await emulator.put(PROJECT, "hostile", [{ time: time + 1, "<b>bold</b>": "name", ...many }]);
    const page = await visit(browser, url("hostile"));
    const title = await page.title();
    await page.getByRole("button", { name: "Open all" }).click();
    // The one with more fields than the page has room for gets them now.
    await page.getByText("field299", { exact: true }).waitFor();
    assert.equal(await page.locator(".log img, .log script, .log dt b").count(), 0);
    assert.ok((await page.locator("ol.logs").innerText()).includes("a␀b ␛[31mred␛[0m"));
    const cut = page.locator("dd").filter({ hasText: "long long" });
    await cut.getByRole("link", { name: "show all (977 KiB)" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll("dd .value")].some((value) => value.textContent.length === 1_000_000));
    assert.equal(await page.title(), title);
    await fits(page, "hostile logs");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, "hostile logs in a narrow window");
    await page.goto(url("hostile", { view: "table" }));
    await fits(page, "a table of hostile logs in a narrow window");
    assert.equal(await page.title(), title);
    await page.close();
});

test("live tail keeps up with a thousand logs a second, and forgets", async () => {
    const page = await visit(browser, url("live", { view: "tail" }));
    const status = page.locator("#tail .status");
    await page.getByText("connected").waitFor();
    let n = 0;
    let written = 0;
    const write = async (seconds) => {
        for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
            const began = Date.now();
            const logs = Array.from({ length: 100 }, () => ({ time: now(), n: String(n++), text: "x".repeat(300) }));
            await emulator.put(PROJECT, "live", logs);
            written += logs.length;
            await new Promise((done) => setTimeout(done, Math.max(0, 100 - (Date.now() - began))));
        }
    };
    const session = await page.context().newCDPSession(page);
    const heap = async () => {
        await session.send("HeapProfiler.collectGarbage");
        const { usedSize } = await session.send("Runtime.getHeapUsage");
        return usedSize;
    };
    const told = async () => {
        const numbers = (await status.innerText()).replaceAll(",", "").match(/(\d+) logs came · (\d+) not shown/);
        return { came: Number(numbers?.[1]), hidden: Number(numbers?.[2]) };
    };
    await write(4);
    const before = await heap();
    await write(8);
    await page.waitForFunction((all) => document.querySelector("#tail .status").textContent.replaceAll(",", "").includes(`${all} logs came`), written);
    const after = await heap();
    const { came, hidden } = await told();
    assert.equal(came, written);
    assert.ok(written > 8_000, `${written} logs were written`);
    assert.ok(hidden > 0 && hidden < came, `${hidden} of ${came} not shown`);
    assert.equal(await page.locator("#tail li").count(), 500);
    assert.ok(after < before + 2 * 1024 * 1024, `the heap went from ${before} to ${after} bytes`);
    await accessible(page, "live tail");

    await page.getByRole("button", { name: "Pause" }).click();
    await write(1);
    await page.waitForFunction((all) => document.querySelector("#tail .status").textContent.replaceAll(",", "").includes(`${all} logs came`), written);
    const paused = await told();
    assert.equal(paused.hidden - hidden, paused.came - came);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("button", { name: "Clear" }).click();
    await emulator.put(PROJECT, "live", [{ time: now(), n: "123456789", text: "the last" }]);
    await page.locator("#tail li").filter({ hasText: "the last" }).waitFor();
    assert.equal(await page.locator("#tail li").count(), 1);
    await page.close();
});

test("every view is accessible, in both colours and languages, and fits a narrow window", async () => {
    const views = [
        url("access"), url("access", { view: "table" }), url("access", { view: "tail" }), url("hostile"),
        url("access", { q: "status = 1" }), url("access", { range: "fixed", from: now() - 600, to: now() }),
    ];
    for (const [colorScheme, locale] of [["light", "en-US"], ["dark", "zh-CN"]]) {
        const page = await visit(browser, url("access"), { colorScheme, locale });
        for (const view of views) {
            await page.goto(view);
            for (const summary of await page.locator("details:not(.log details) > summary").all()) await summary.click({ timeout: 2_000 }).catch(() => {});
            await page.locator(".log summary").first().click({ timeout: 500 }).catch(() => {});
            await accessible(page, `${view} in ${colorScheme} ${locale}`);
        }
        await page.setViewportSize({ width: 360, height: 740 });
        for (const view of views) {
            await page.goto(view);
            await fits(page, `${view} at 360 pixels`);
        }
        await page.close();
    }
});

test("the page is whole without a script", async () => {
    const page = await visit(browser, url("access"), { javaScriptEnabled: false });
    await page.locator("#q").fill("status = 404");
    await page.getByRole("button", { name: "Search" }).click();
    await page.waitForURL(/status/);
    assert.equal(await count(page), 60);
    await page.getByRole("link", { name: "Next", exact: true }).click();
    await page.getByText("21–40 / 60").waitFor();
    await page.locator(".bars button:not([data-count='0'])").first().click();
    await page.waitForURL(/zoom=/);
    assert.ok((await count(page)) < 60);
    await page.close();
});
