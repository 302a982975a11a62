// The document's console steps: from an empty emulator to parsed nginx logs, with the collector running; and the pages
// for index, shards and consumer groups.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, fits, open, visit } from "../support/browser.mjs";
import { accessLines, collect } from "../support/collector.mjs";
import { start } from "../support/emulator.mjs";

const LINE = '10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] "GET /a?b=<c> HTTP/1.1" 200 612 "-" "curl/8.1"';
const FORMAT = `log_format main '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"';`;

let emulator, browser;
before(async () => {
    emulator = await start();
    browser = await open();
});
after(async () => {
    await browser?.close();
    await emulator?.stop();
});

/** Waits until a page, loaded again and again, holds a text. */
async function until(page, text, tries = 60) {
    for (let at = 0; at < tries; at++) {
        if ((await page.locator("main").innerText()).includes(text)) return;
        await new Promise((resolve) => setTimeout(resolve, 500));
        await page.reload();
    }
    assert.fail(`${page.url()} never says ${text}: ${await page.locator("main").innerText()}`);
}

test("the document's path: from nothing to parsed nginx logs", async () => {
    const page = await visit(browser, emulator.console);
    await page.getByLabel("Name", { exact: true }).fill("k8s-demo");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByLabel("Name", { exact: true }).fill("nginx-access");
    await page.getByRole("button", { name: "Create" }).click();
    await page.waitForURL("**/logstores/nginx-access/index");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The index is saved.").waitFor();

    await page.goto(`${emulator.console}/projects/k8s-demo/machine-groups`);
    await page.getByLabel("Name", { exact: true }).fill("nginx-sidecars");
    await page.getByLabel("Ids or addresses, one a line").fill("nginx-log-sidecar");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("No agent with it has shown itself").waitFor();

    await page.getByRole("link", { name: "k8s-demo" }).click();
    await page.getByRole("link", { name: "Collection configs", exact: true }).click();
    await page.getByRole("link", { name: "New collection config" }).click();
    await page.getByLabel("Mode").selectOption("nginx");
    await page.waitForLoadState("networkidle");
    await page.getByLabel("Name of the config").fill("nginx-access");
    await page.getByLabel("Logstore", { exact: true }).selectOption("nginx-access");
    await page.getByLabel("Directory").fill("/var/log/nginx");
    await page.getByLabel("Name of the files").fill("access.log");
    assert.ok(await page.getByLabel("Docker File").isDisabled());
    await page.getByLabel("The line log_format of nginx.conf").fill(FORMAT);
    await page.getByLabel("Lines of the log").fill(LINE);
    await page.getByText("1 of 1 lines match regex").waitFor();
    assert.match(await page.locator("#preview").innerText(), /request_uri\s+\/a\?b=<c>/);
    await page.getByLabel("nginx-sidecars").check();
    await page.getByText("Show as AliyunLogConfig YAML").click();
    await page.waitForFunction(() => document.querySelector("#yaml").textContent.includes("nginx-sidecars"));
    assert.match(await page.locator("#yaml").innerText(), /kind: AliyunLogConfig[^]*nginx-sidecars[^]*dockerFile: false/);
    await accessible(page, "the wizard");
    await page.getByRole("button", { name: "Save and apply" }).click();
    await page.getByText("The config is saved.").waitFor();

    const collector = await collect(emulator.endpoint, "nginx-log-sidecar");
    try {
        await collector.write("access.log", [...accessLines([200, 200, 404, 200, 500, 200, 200, 200, 200]), "no access line"]);
        await page.goto(`${emulator.console}/projects/k8s-demo/configs/nginx-access`);
        await until(page, "9 of 10");
        await page.getByText("applied", { exact: true }).waitFor();
        await page.goto(`${emulator.console}/agents`);
        const agents = await page.locator("main").innerText();
        assert.match(agents, /nginx-pod-1/);
        assert.match(agents, /90 %/);
        await accessible(page, "agents");
        await page.goto(`${emulator.console}/projects/k8s-demo/machine-groups/nginx-sidecars`);
        assert.match(await page.locator("main").innerText(), /127\.0\.0\.1\s+OK/);
        await accessible(page, "a machine group");
        await page.goto(`${emulator.console}/projects/k8s-demo/logstores/nginx-access/settings`);
        await until(page, "9 logs");

        // The fields that came are proposed for the index.
        await page.getByRole("link", { name: "Index", exact: true }).click();
        await page.getByRole("link", { name: "Propose fields from recent logs" }).click();
        await page.getByText("fields of recent logs are proposed").waitFor();
        assert.equal(await page.getByLabel("Type of status").inputValue(), "long");
        await page.getByRole("button", { name: "Another field" }).click();
        await page.locator('input[name^="name-"]').last().fill("request_time");
        await page.locator('select[name^="type-"]').last().selectOption("double");
        await page.getByRole("button", { name: "Save" }).click();
        await page.getByText("The index is saved.").waitFor();
        const index = await emulator.call("GET", "k8s-demo", "/logstores/nginx-access/index");
        assert.equal(index.keys.status.type, "long");
        assert.equal(index.keys.request_time.type, "double");
        await collector.write("access.log", accessLines([418, 418]));
        const now = Math.floor(Date.now() / 1000);
        const found = async () => {
            const asked = `/logstores/nginx-access?type=log&from=${now - 3600}&to=${now + 60}&query=${encodeURIComponent("status: 418")}&line=10&offset=0`;
            return emulator.call("GET", "k8s-demo", asked);
        };
        let logs = [];
        for (let tries = 0; tries < 60 && logs.length < 2; tries++) {
            logs = await found();
            await new Promise((resolve) => setTimeout(resolve, 250));
        }
        assert.deepEqual(logs.map((log) => log.status), ["418", "418"]);
    } catch (error) {
        error.message += `\n${collector.said().slice(-2000)}`;
        throw error;
    } finally {
        await collector.stop();
    }
    await page.close();
});

test("a regex is shown at work while it is typed, with its keys beside", async () => {
    const page = await visit(browser, emulator.console);
    await emulator.logstore("regexes", "app");
    await page.goto(`${emulator.console}/projects/regexes/new-config?mode=regex&logstore=app`);
    await page.getByLabel("Lines of the log").fill(`${LINE}\n<script>alert(1)</script>`);
    await page.getByLabel("Regular expression").fill(String.raw`(\S+) - - \[([^\]]+)\] "(\w+) (.*)`);
    await page.locator("#keys input").nth(3).waitFor();
    assert.equal(await page.locator("#keys input").count(), 4);
    const names = ["ip", "time", "method", "rest"];
    for (const [at, name] of names.entries()) await page.locator("#keys input").nth(at).fill(name);
    await page.locator("#preview mark").nth(3).waitFor();
    assert.equal(await page.locator("#preview section.log").first().locator("mark").nth(2).innerText(), "GET3");
    await page.waitForFunction(() => document.querySelectorAll("#keys output")[2].textContent === "GET");
    assert.match(await page.locator("#preview").innerText(), /does not match[^]*<script>alert\(1\)<\/script>/);
    // A group less: the row without a name goes, those with one stay.
    await page.getByLabel("Regular expression").fill(String.raw`(\S+) (\S+`);
    await page.getByText("This config cannot work").waitFor();
    await page.getByRole("button", { name: "Make a regex of the first line" }).click();
    await page.getByText("1 of 2 lines match regex").waitFor();
    assert.equal(await page.locator("#keys input").first().inputValue(), "ip");
    await accessible(page, "the wizard in regex mode");
    await page.close();
});

test("what is wrong with a sample is shown where it is, also without scripts", async () => {
    const page = await visit(browser, emulator.console, { javaScriptEnabled: false });
    await page.goto(`${emulator.console}/projects/regexes/new-config?mode=delimiter&logstore=app`);
    await page.getByLabel("Separator", { exact: true }).fill("|");
    await page.getByLabel("Key 1").fill("a");
    await page.getByLabel("Lines of the log").fill("1|2|3");
    await page.getByRole("button", { name: "Preview" }).click();
    assert.equal(await page.locator("#keys input").count(), 3);
    assert.match(await page.locator("#preview").innerText(), /__column1__/);
    await page.getByLabel("Mode").selectOption("json");
    await page.getByRole("button", { name: "Use this mode" }).click();
    assert.match(await page.locator("#preview").innerText(), /does not match/);
    assert.equal(await page.getByLabel("Lines of the log").inputValue(), "1|2|3");
    await page.close();
});

test("shards are split and merged, and a consumer group shows what is left", async () => {
    const page = await visit(browser, emulator.console);
    await emulator.logstore("shards", "app");
    await page.goto(`${emulator.console}/projects/shards/logstores/app/shards`);
    await page.getByRole("row", { name: /^0 / }).getByRole("button", { name: "Split" }).click();
    await page.getByText("Split; new shards: 2, 3").waitFor();
    await page.getByRole("button", { name: "Merge with 3" }).click();
    await page.getByText("Merged to shard 4").waitFor();
    await emulator.put("shards", "app", [{ a: "1" }, { a: "2" }, { a: "3" }]);
    await page.getByRole("link", { name: "Consumer groups" }).click();
    await page.getByLabel("Name", { exact: true }).fill("readers");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("3 logs behind").waitFor();
    await accessible(page, "consumer groups");
    await page.close();
});

test("the pages speak Chinese, fit narrow windows and are accessible in dark", async () => {
    const options = { locale: "zh-CN", viewport: { width: 360, height: 740 }, colorScheme: "dark" };
    const page = await visit(browser, emulator.console, options);
    const project = `${emulator.console}/projects/k8s-demo`;
    for (const path of ["", "/machine-groups", "/machine-groups/nginx-sidecars", "/configs", "/configs/nginx-access",
        "/configs/nginx-access/edit", "/new-config?mode=regex", "/new-config?mode=delimiter", "/new-config?mode=advanced",
        "/logstores/nginx-access/index", "/logstores/nginx-access/shards", "/logstores/nginx-access/consumer-groups",
        "/logstores/nginx-access/settings"]) {
        await page.goto(project + path);
        await fits(page, path);
        await accessible(page, `${path} in Chinese, dark and narrow`);
    }
    await page.goto(`${emulator.console}/agents`);
    await fits(page, "agents");
    await accessible(page, "agents in Chinese, dark and narrow");
    await page.close();
});
