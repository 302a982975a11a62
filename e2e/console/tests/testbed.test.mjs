// The test bed: the journal with bodies decoded, faults on and off, the account of a ledger, snapshots, the API table.

import assert from "node:assert/strict";
import { writeFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, fits, open, visit } from "../support/browser.mjs";
import { start } from "../support/emulator.mjs";

const PROJECT = "demo-project";
let emulator, browser;
before(async () => {
    emulator = await start();
    browser = await open();
    await emulator.logstore(PROJECT, "access", { content: "text" });
});
after(async () => {
    await browser?.close();
    await emulator?.stop();
});

const put = (...contents) => emulator.put(PROJECT, "access", contents.map((content) => ({ content })));
const row = (page, text) => page.locator("tbody tr", { hasText: text });

test("a write is found in the journal by itself, and its logs are read", async () => {
    const page = await visit(browser, `${emulator.console}/testbed/journal?operation=PutLogs`);
    await page.getByText("No such request is remembered.").waitFor();
    const refresh = page.getByRole("button", { name: "Auto-refresh" });
    await refresh.click();
    assert.equal(await refresh.getAttribute("aria-pressed"), "true");
    await put("GET /a", "<img src=x onerror=alert(1)>\u202e\u0000\u001b[31m");
    await row(page, "PutLogs").waitFor();
    await accessible(page, "the journal with an entry");
    await page.getByRole("link", { name: "PutLogs" }).click();
    await page.getByRole("heading", { name: /^PutLogs · / }).waitFor();
    await page.getByText("GET /a").waitFor();
    assert.equal(await page.locator("main img").count(), 0, "what a log holds is text");
    await page.getByText("<img src=x onerror=alert(1)>⟨U+202E⟩␀␛[31m").waitFor();
    await accessible(page, "an entry");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, "an entry at 360 pixels");
    await page.close();
});

test("the refresh waits while somebody works with the table, and is remembered for the page", async () => {
    const page = await visit(browser, `${emulator.console}/testbed/journal?operation=PutLogs`);
    await put("first");
    await page.reload();
    await page.getByRole("button", { name: "Auto-refresh" }).click();
    await page.getByText("as of").waitFor();
    await row(page, "PutLogs").first().getByRole("link").first().focus();
    const before = await row(page, "PutLogs").count();
    await put("second");
    const looked = () => page.waitForResponse((response) => response.url().includes("/testbed/journal"));
    await looked();
    await looked();
    assert.equal(await row(page, "PutLogs").count(), before, "the table stays under the focus");
    await page.getByRole("button", { name: "Auto-refresh" }).focus();
    await row(page, "PutLogs").nth(before).waitFor();
    await page.reload();
    assert.equal(await page.getByRole("button", { name: "Auto-refresh" }).getAttribute("aria-pressed"), "true");
    await page.close();
});

test("a fault is switched on with the keyboard, hits a client, and is switched off", async () => {
    const page = await visit(browser, `${emulator.console}/testbed/faults`);
    await page.getByRole("radio", { name: "A quota is exceeded" }).focus();
    await page.keyboard.press("Space");
    const which = page.locator('select[name="quota."]');
    await which.waitFor();
    assert.ok(!(await page.locator('input[name="error.status"]').isVisible()), "only the fields of the chosen kind");
    await which.selectOption("shard_write");
    await page.getByLabel("Operations (names, write, query, pull)").fill("write");
    await page.getByLabel("Name", { exact: true }).fill("no-room");
    await page.keyboard.press("Enter");
    await page.getByText("Added: no-room").waitFor();
    await accessible(page, "faults with one");
    await assert.rejects(put("refused"), /ShardWriteQuotaExceed/);
    await page.reload();
    assert.deepEqual(await row(page, "no-room").locator("td.number").allInnerTexts(), ["1", "1"]);
    await page.getByRole("link", { name: "no-room" }).click();
    await row(page, "ShardWriteQuotaExceed").waitFor();
    await page.goBack();
    await row(page, "no-room").getByRole("button", { name: "Remove" }).click();
    await page.getByText("No faults: everything is answered as it should be.").waitFor();
    await put("taken");
    await page.getByRole("button", { name: "Everything answers 500, 30 s" }).click();
    await assert.rejects(put("refused"), /500/);
    await page.getByRole("button", { name: "Remove all" }).click();
    await page.getByText("Removed: 1").waitFor();
    page.expectedRefusals.push(400);
    await page.getByLabel("One fault, or a list of them").fill('{"what": {"eror": 500}}');
    await page.getByRole("button", { name: "Add" }).last().click();
    await page.getByText("do you mean error?").waitFor();
    await page.close();
});

test("a ledger from a file is held against what came, and a link leads to the copies", async () => {
    const line = (seq) => `GET /?run=r&src=pod-7&seq=${seq} HTTP/1.1`;
    await put(line(1), line(2), line(2));
    const file = join(tmpdir(), `ledger-${process.pid}.jsonl`);
    await writeFile(file, '{"run":"r","source":"pod-7","first":1,"last":3}\n');
    const page = await visit(browser, `${emulator.console}/testbed/ledger?project=${PROJECT}&logstore=access`);
    await accessible(page, "the form for a ledger");
    await page.getByLabel("From a file").setInputFiles(file);
    await page.waitForFunction(() => document.getElementById("ledger").value !== "");
    await page.getByLabel("Wait for what is missing, s").fill("0");
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByText("Not exactly once.").waitFor();
    await accessible(page, "an account");
    const sum = (name) => page.locator("dl.sums > div", { hasText: name }).locator("dd").first().innerText();
    assert.deepEqual([await sum("Sent"), await sum("Missing"), await sum("Duplicated")], ["3", "1", "1"]);
    await page.getByRole("link", { name: "Its copies" }).click();
    await page.waitForURL("**/logstores/access?q=*");
    await page.getByText("seq=2", { exact: false }).first().waitFor();
    await rm(file);
    await page.close();
});

test("a snapshot is made, brought back, and everything removed, each after a question", async () => {
    const page = await visit(browser, `${emulator.console}/testbed/state`);
    await page.getByLabel("Keep the state of now as").fill("walk");
    await page.getByRole("button", { name: "Make a snapshot" }).click();
    await row(page, "walk").waitFor();
    await accessible(page, "the state with a snapshot");
    const questions = [];
    page.on("dialog", (dialog) => questions.push(dialog.message()));
    await page.getByRole("button", { name: "Remove everything" }).click();
    await page.getByText("Everything is removed.").waitFor();
    assert.equal((await emulator.call("GET", null, "/?offset=0&size=10")).total, 0);
    await row(page, "walk").getByRole("button", { name: "Restore" }).click();
    await page.getByText("Restored: walk").waitFor();
    assert.equal((await emulator.call("GET", null, "/?offset=0&size=10")).total, 1);
    assert.equal(questions.length, 2, questions.join("\n"));
    await page.close();
});

test("the API table is narrowed and in Chinese fits a narrow window", async () => {
    const page = await visit(browser, `${emulator.console}/testbed/operations`);
    const all = await page.locator("#operations tbody tr").count();
    await page.getByLabel("Fidelity").selectOption("partial");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL("**fidelity=partial*");
    const some = await page.locator("#operations tbody tr").count();
    assert.ok(some > 0 && some < all, `${some} of ${all}`);
    await page.close();
    const narrow = await visit(browser, `${emulator.console}/testbed/operations?called=1`, { locale: "zh-CN", viewport: { width: 360, height: 740 } });
    await narrow.getByRole("heading", { name: "API 列表" }).waitFor();
    await row(narrow, "PutLogs").first().waitFor();
    await fits(narrow, "the API table at 360 pixels");
    await accessible(narrow, "the API table in Chinese");
    await narrow.close();
});
