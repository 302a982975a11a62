// The pages of the cluster.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, fits, open, visit } from "../support/browser.mjs";
import { start } from "../support/emulator.mjs";
import { cluster } from "../support/kubernetes.mjs";

let kubernetes, emulator, browser;
before(async () => {
    kubernetes = await cluster();
    emulator = await start("--cluster", kubernetes.url);
    browser = await open();
});
after(async () => {
    await browser?.close();
    await emulator?.stop();
    await kubernetes?.stop();
});

const PAGES = [
    "/cluster",
    "/cluster/workloads",
    "/cluster/configs",
    "/cluster/events",
    "/cluster/objects/pod/default/nginx-1",
    "/cluster/logs/default/nginx-1/logtail",
];

for (const colorScheme of ["light", "dark"]) {
    test(`every page of the cluster is accessible in ${colorScheme} and fits a narrow window in Chinese`, async () => {
        kubernetes.log.push("one line");
        const page = await visit(browser, emulator.console, { colorScheme });
        const narrow = await visit(browser, emulator.console, { colorScheme, locale: "zh-CN", viewport: { width: 360, height: 740 } });
        for (const path of PAGES) {
            await page.goto(emulator.console + path);
            await accessible(page, `${path} in ${colorScheme}`);
            await narrow.goto(emulator.console + path);
            await fits(narrow, `${path} at 360 pixels`);
        }
        await page.close();
        await narrow.close();
    });
}

test("from a pod that fails to why, and to the log of its container, with the keyboard", async () => {
    const page = await visit(browser, emulator.console);
    await page.getByRole("link", { name: "Cluster" }).click();
    await page.getByText("CrashLoopBackOff").waitFor();
    await page.getByText("liveness: exec /etc/init.d/ilogtaild status (delay 0 s, every 30 s").waitFor();
    await page.getByRole("link", { name: "nginx-1" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Pod nginx-1" }).waitFor();
    await page.getByRole("cell", { name: "ended with 137 OOMKilled" }).waitFor();
    await page.getByText("<img src=x onerror=alert(1)>").waitFor();
    assert.equal(await page.locator("main img").count(), 0, "what an event says is text");
    const yaml = await page.locator("pre.tall").innerText();
    assert.match(yaml, /kind: Pod/);
    assert.doesNotMatch(yaml, /hush/);
    await page.getByRole("link", { name: "the one before" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/logs/default/nginx-1/logtail?previous=true");
    await page.close();
});

test("a log is shown from its end and followed there", async () => {
    for (let number = 0; number < 300; number++) kubernetes.log.push(`line ${number} \u001b[31mred`);
    const page = await visit(browser, `${emulator.console}/cluster/logs/default/nginx-1/app`);
    const log = page.locator("pre.log");
    const fromEnd = () => log.evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
    assert.ok((await fromEnd()) < 4);
    assert.match(await log.innerText(), /line 299 ␛\[31mred/);
    await page.getByRole("button", { name: "Auto-refresh" }).click();
    kubernetes.log.push("the newest line");
    await log.getByText("the newest line").waitFor();
    assert.ok((await fromEnd()) < 4, "who was at the end stays there");
    await log.evaluate((node) => (node.scrollTop = 0));
    kubernetes.log.push("a still newer line");
    await log.getByText("a still newer line").waitFor();
    assert.equal(await log.evaluate((node) => node.scrollTop), 0, "who reads above is left alone");
    await page.close();
});

test("configs tell what is wrong, and a namespace is chosen", async () => {
    const page = await visit(browser, `${emulator.console}/cluster/configs`);
    await page.getByText("Accepted: the regular expression has 11 groups for 10 keys").waitFor();
    await page.getByText("its CRD is not installed").waitFor();
    assert.equal(
        await page.getByRole("link", { name: "Its logs" }).getAttribute("href"),
        "/projects/demo-project/logstores/nginx-access",
    );
    await page.getByRole("link", { name: "Pods" }).click();
    await page.getByLabel("Namespace").selectOption("empty");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("No pods.").waitFor();
    await page.close();
});
