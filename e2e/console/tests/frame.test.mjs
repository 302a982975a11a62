// The frame of the console: languages, colours, keyboard, narrow windows, accessibility, and what it refuses.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, fits, open, visit } from "../support/browser.mjs";
import { start } from "../support/emulator.mjs";

let emulator, browser;
before(async () => {
    emulator = await start();
    browser = await open();
    await emulator.logstore("nginx-demo", "access-log", { status: "long", method: "text" });
    const now = Math.floor(Date.now() / 1000);
    await emulator.put("nginx-demo", "access-log", [
        { time: now - 60, status: "200", method: "GET" },
        { time: now - 30, status: "502", method: "POST" },
    ]);
});
after(async () => {
    await browser?.close();
    await emulator?.stop();
});

/** Pages that everybody sees; `PAGES` of the other tests go deeper. */
const PAGES = [
    "/",
    "/projects/nginx-demo",
    "/projects/nginx-demo/machine-groups",
    "/projects/nginx-demo/configs",
    "/projects/nginx-demo/logstores/access-log",
    "/projects/nginx-demo/logstores/access-log/index",
    "/projects/nginx-demo/logstores/access-log/shards",
    "/projects/nginx-demo/logstores/access-log/consumer-groups",
    "/projects/nginx-demo/logstores/access-log/settings",
    "/agents",
    "/testbed/journal",
    "/testbed/faults",
    "/testbed/ledger",
    "/testbed/state",
    "/testbed/operations",
];

for (const colorScheme of ["light", "dark"]) {
    test(`every page is accessible in ${colorScheme}`, async () => {
        const page = await visit(browser, emulator.console, { colorScheme });
        for (const path of PAGES) {
            await page.goto(emulator.console + path);
            await accessible(page, `${path} in ${colorScheme}`);
        }
        await page.close();
    });
}

test("every page speaks Chinese and fits a narrow window", async () => {
    const page = await visit(browser, emulator.console, { locale: "zh-CN", viewport: { width: 360, height: 740 } });
    for (const path of PAGES) {
        await page.goto(emulator.console + path);
        assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
        const words = (await page.locator("nav.menu").innerText()).trim();
        assert.match(words, /项目/);
        assert.doesNotMatch(words, /[A-Za-z]/, `${path}: ${words}`);
        await fits(page, `${path} at 360 pixels`);
        await accessible(page, `${path} in Chinese`);
    }
    await page.close();
});

test("language and colours are chosen on the page and kept", async () => {
    const page = await visit(browser, `${emulator.console}/projects/nginx-demo`);
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByRole("link", { name: "日志库", exact: true }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/projects/nginx-demo");
    await page.getByRole("button", { name: "配色" }).click();
    await page.goto(emulator.console);
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { name: "Projects" }).waitFor();
    await page.close();
});

test("a project and a Logstore are made with the keyboard alone", async () => {
    const page = await visit(browser, emulator.console);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    const focused = () => page.evaluate(() => document.activeElement.name ?? document.activeElement.id);
    for (let tries = 0; tries < 50 && (await focused()) !== "project"; tries++) await page.keyboard.press("Tab");
    await page.keyboard.type("by-keyboard");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "by-keyboard" }).waitFor();
    for (let tries = 0; tries < 50 && (await focused()) !== "logstore"; tries++) await page.keyboard.press("Tab");
    await page.keyboard.type("made");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/logstores/made/index");
    assert.deepEqual((await emulator.call("GET", "by-keyboard", "/logstores?offset=0&size=10")).logstores, ["made"]);
    await page.close();
});

test("a page of another site can neither read nor change anything", async () => {
    const page = await visit(browser, emulator.console);
    const csrf = await page.locator('meta[name="csrf"]').getAttribute("content");
    const post = (body, headers = {}) =>
        fetch(`${emulator.console}/projects`, { method: "POST", body: new URLSearchParams(body), headers, redirect: "manual" });
    assert.equal((await post({ project: "without-word" })).status, 403);
    assert.equal((await post({ csrf: "0".repeat(csrf.length), project: "wrong-word" })).status, 403);
    assert.equal((await post({ csrf, project: "from-elsewhere" }, { origin: "http://evil.example" })).status, 403);
    assert.equal((await post({ csrf, project: "own-form" })).status, 303);
    const names = (await emulator.call("GET", null, "/?offset=0&size=100")).projects.map((project) => project.projectName);
    assert.ok(names.includes("own-form"));
    for (const name of ["without-word", "wrong-word", "from-elsewhere"]) assert.ok(!names.includes(name), name);
    await page.close();
});

test("the first page is small", async () => {
    const page = await visit(browser, "about:blank");
    const bodies = [];
    page.on("response", (response) => bodies.push(response.body()));
    await page.goto(emulator.console, { waitUntil: "networkidle" });
    const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0);
    assert.ok(bytes > 10_000 && bytes < 150_000, `the first page has ${bytes} bytes`);
    await page.close();
});
