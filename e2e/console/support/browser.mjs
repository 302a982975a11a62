// A browser whose pages fail the test when they complain.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** How long a page may take to do something, in milliseconds: a guard against hanging, not a goal. */
const PATIENCE = 30_000;

export async function open() {
    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
    });
    return browser;
}

/**
 * A page in a context of its own. What it writes to its console as an error, what its policy forbids and what
 * it throws is collected; `page.complaints` must be empty at the end, which `close` checks.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function visit(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, locale: "en-US", ...options });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.complaints = [];
    page.expectedRefusals = [];
    page.on("pageerror", (error) => page.complaints.push(`threw ${error}`));
    page.on("console", (message) => {
        // The browser reports every answer of 400 and above; which of them are right is for the test to say.
        const refused = /Failed to load resource: the server responded with a status of (\d+)/.exec(message.text());
        if (refused && page.expectedRefusals.includes(Number(refused[1]))) return;
        if (message.type() === "error") page.complaints.push(message.text());
    });
    page.close = async () => {
        await context.close();
        assert.deepEqual(page.complaints, [], "the page complained");
    };
    page.on("dialog", (dialog) => dialog.accept());
    await page.goto(url);
    return page;
}

/** No serious finding of axe, in the colours and the size that the page has now. */
export async function accessible(page, what) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    }));
    const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const shown = (nodes) => nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" ");
    const told = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.length} times: ${shown(nodes)}`);
    assert.deepEqual(told, [], `${what}: findings of axe`);
    assert.ok(found.passes.length > 5, `${what}: axe looked at something`);
}

/** The page as a whole does not scroll sideways. */
export async function fits(page, what) {
    const { wanted, given } = await page.evaluate(() => ({
        wanted: document.documentElement.scrollWidth,
        given: document.documentElement.clientWidth,
    }));
    assert.ok(wanted <= given, `${what}: ${wanted} pixels of content in a window of ${given}`);
}
