// Many logs: a Logstore of a million, and a live tail of a thousand logs a second. Figures are printed; what is
// asserted are sizes, and that memory does not grow.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, open, visit } from "../support/browser.mjs";
import { start } from "../support/emulator.mjs";

const LOGS = 1_000_000;
const LOGS_AT_ONCE = 10_000;
/** Bytes of the first page with everything it loads. */
const PAGE_BYTES_MAX = 150_000;
const TAIL_RATE = 1_000;
const TAIL_SECONDS = 20;
/** How much more a page or the emulator may hold after the second half of a tail than after the first, in bytes. */
const GROWTH_MAX = 8 * 1024 * 1024;

const BIG = "/projects/scale-test/logstores/big";
const NEWEST = Math.floor(Date.now() / 1000) - 60;

let emulator, browser;
before(async () => {
    emulator = await start();
    browser = await open();
    await emulator.logstore("scale-test", "big", { status: "long", method: "text", number: "long" });
    for (let first = 0; first < LOGS; first += LOGS_AT_ONCE) {
        const log = (number) => ({
            // A million logs over 100 minutes.
            time: NEWEST - Math.floor(((LOGS - 1 - number) * 6_000) / LOGS),
            status: number % 100 === 0 ? "502" : "200",
            method: number % 7 === 0 ? "POST" : "GET",
            number: String(number),
            url: `/item/${(number * 7919) % 100_003}`,
        });
        await emulator.put("scale-test", "big", Array.from({ length: LOGS_AT_ONCE }, (_, at) => log(first + at)));
    }
});
after(async () => {
    await browser?.close();
    await emulator?.stop();
});

test("the page of a million logs is small and says how many there are", async (context) => {
    const address = `${emulator.console}${BIG}?range=4h`;
    const times = [];
    for (let round = 0; round < 7; round++) {
        const began = performance.now();
        const response = await fetch(address);
        await response.text();
        times.push(performance.now() - began);
    }
    const median = times.toSorted((a, b) => a - b)[3];
    const met = median < 100 ? "met" : "MISSED";
    context.diagnostic(`figure: page of ${LOGS} logs: first ${times[0].toFixed(1)} ms, median ${median.toFixed(1)} ms (goal 100, ${met})`);

    const page = await visit(browser, "about:blank");
    const bodies = [];
    page.on("response", (response) => bodies.push(response.body()));
    await page.goto(address, { waitUntil: "networkidle" });
    await page.getByText("1000000 logs").first().waitFor();
    const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0);
    assert.ok(bytes > 10_000 && bytes < PAGE_BYTES_MAX, `the page loads ${bytes} bytes`);
    context.diagnostic(`figure: the page loads ${bytes} bytes (goal ${PAGE_BYTES_MAX}, met)`);
    await page.close();
});

test("a search, a zoom and a summary of a million logs", async () => {
    const page = await visit(browser, `${emulator.console}${BIG}?range=4h&q=status:502`);
    await page.getByText("10000 logs").first().waitFor();
    await page.goto(`${emulator.console}${BIG}?range=4h&q=${encodeURIComponent("* | select method, count(*) as c group by method order by c")}`);
    const cells = await page.locator("table td").allInnerTexts();
    assert.ok(cells.includes(String(Math.ceil(LOGS / 7))), cells.join(" "));
    await page.goto(`${emulator.console}${BIG}?range=4h&q=number:999999`);
    await page.getByText("1 logs").or(page.getByText("1 log", { exact: true })).first().waitFor();
    await page.close();
});

test(`a live tail of ${TAIL_RATE} logs a second does not grow`, async (context) => {
    await emulator.logstore("scale-test", "live", { number: "long" });
    const page = await visit(browser, `${emulator.console}/projects/scale-test/logstores/live?view=tail`);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Performance.enable");
    const held = async () => {
        await devtools.send("HeapProfiler.collectGarbage");
        const { metrics } = await devtools.send("Performance.getMetrics");
        const metric = (name) => metrics.find((each) => each.name === name).value;
        return { heap: metric("JSHeapUsedSize"), nodes: metric("Nodes"), emulator: await residentBytes() };
    };
    await page.getByText("connected", { exact: false }).first().waitFor();
    let number = 0;
    const write = async (seconds) => {
        const began = Date.now();
        for (let tick = 0; tick < seconds * 10; tick++) {
            const time = Math.floor(Date.now() / 1000);
            const log = () => ({ time, number: String(number++), text: "a line as a service writes it, of some length" });
            await emulator.put("scale-test", "live", Array.from({ length: TAIL_RATE / 10 }, log));
            await new Promise((done) => setTimeout(done, Math.max(0, began + (tick + 1) * 100 - Date.now())));
        }
    };
    await write(TAIL_SECONDS / 2);
    const half = await held();
    await write(TAIL_SECONDS / 2);
    await page.getByText(`${number.toLocaleString("en-US")} logs came`).waitFor();
    const whole = await held();
    for (const what of ["heap", "emulator"]) {
        const grown = whole[what] - half[what];
        assert.ok(grown < GROWTH_MAX, `${what} grew by ${grown} bytes in the second half of the tail`);
    }
    const rows = await page.locator("#tail ol > li").count();
    assert.ok(rows <= 500, `${rows} rows`);
    const newest = await page.locator("#tail ol > li").first().innerText();
    assert.ok(newest.includes(String(number - 1)), newest);
    context.diagnostic(`figure: ${number} logs came: heap ${half.heap} then ${whole.heap} bytes, ${rows} rows, emulator ${half.emulator} then ${whole.emulator} bytes`);

    await page.getByRole("button", { name: "Pause" }).click();
    const before = await page.locator("#tail ol > li").first().innerText();
    await write(1);
    assert.equal(await page.locator("#tail ol > li").first().innerText(), before);
    await page.getByRole("button", { name: "Go on" }).click();
    await write(1);
    await page.waitForFunction((before) => document.querySelector("#tail ol > li").innerText !== before, before);
    await accessible(page, "the live tail");
    await page.close();
});

/** Memory of the emulator that is its own, not pages of its files. */
async function residentBytes() {
    const status = await readFile(`/proc/${emulator.child.pid}/status`, "utf8");
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)[1]) * 1024;
}
