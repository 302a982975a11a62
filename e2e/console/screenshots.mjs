// Takes the pictures of docs/console: the document's example, collected by the collector, on the main pages.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { accessLines, collect } from "./support/collector.mjs";
import { open, visit } from "./support/browser.mjs";
import { start } from "./support/emulator.mjs";

const FOLDER = fileURLToPath(new URL("../../docs/console/", import.meta.url));
const PROJECT = "k8s-log-demo";
const LOGSTORE = "nginx-access";
const FORMAT = `log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                '$status $body_bytes_sent "$http_referer" "$http_user_agent"';`;
/** Lines: as many statuses, one line a second up to now. */
const LINES = 600;

const emulator = await start();
const browser = await open();
const collector = await collect(emulator.endpoint, "nginx-log-sidecar");
try {
    await prepare();
    await mkdir(FOLDER, { recursive: true });
    for (const [name, path, options] of pictures()) await take(name, path, options);
} finally {
    await collector.stop();
    await browser.close();
    await emulator.stop();
}

function pictures() {
    const logs = `/projects/${PROJECT}/logstores/${LOGSTORE}`;
    const sql = "* | select status, count(*) as requests, avg(body_bytes_sent) as bytes group by status order by status";
    return [
        ["query", `${logs}?q=${encodeURIComponent("status >= 400 and request_method: GET")}`, { open: ".log summary" }],
        ["query-zh", logs, { locale: "zh-CN", colorScheme: "dark" }],
        ["sql", `${logs}?q=${encodeURIComponent(sql)}`, {}],
        ["config", `/projects/${PROJECT}/configs/nginx-access/edit`, {}],
        ["agents", "/agents", {}],
        ["index", `${logs}/index`, {}],
        ["journal", "/testbed/journal?operation=PutLogs", { colorScheme: "dark" }],
        ["faults", "/testbed/faults", {}],
    ];
}

async function take(name, path, { open: opened, ...options }) {
    const page = await visit(browser, emulator.console + path, { viewport: { width: 1200, height: 800 }, ...options });
    await page.waitForLoadState("networkidle");
    if (opened) await page.locator(opened).first().click();
    await page.screenshot({ path: `${FOLDER}${name}.png` });
    console.log(`docs/console/${name}.png`);
    await page.close();
}

/** The document's example: Logstore with index, machine group, config for nginx, and what the collector made of its log. */
async function prepare() {
    await emulator.logstore(PROJECT, LOGSTORE, {
        remote_addr: "text", request_method: "text", request_uri: "text", status: "long", body_bytes_sent: "long",
        http_user_agent: "text",
    });
    await emulator.call("POST", PROJECT, "/machinegroups", {
        groupName: "nginx-sidecars", groupType: "", machineIdentifyType: "userdefined", machineList: ["nginx-log-sidecar"],
        groupAttribute: {},
    });
    const page = await visit(browser, `${emulator.console}/projects/${PROJECT}/new-config?mode=nginx&logstore=${LOGSTORE}`);
    await page.getByLabel("Name of the config").fill("nginx-access");
    await page.getByLabel("Directory").fill("/var/log/nginx");
    await page.getByLabel("Name of the files").fill("access.log");
    await page.getByLabel("The line log_format of nginx.conf").fill(FORMAT);
    await page.getByLabel("Lines of the log").fill(accessLines([200, 502, 404]).join("\n"));
    await page.getByLabel("nginx-sidecars").check();
    await page.getByRole("button", { name: "Save and apply" }).click();
    await page.getByText("The config is saved.").waitFor();
    await page.close();
    const statuses = Array.from({ length: LINES }, (_, at) => (at % 41 === 0 ? 502 : at % 13 === 0 ? 404 : at % 29 === 0 ? 304 : 200));
    await collector.write("access.log", accessLines(statuses));
    const found = async () => {
        const now = Math.floor(Date.now() / 1000);
        const asked = `/logstores/${LOGSTORE}?type=histogram&from=${now - 3600}&to=${now + 60}&query=*`;
        const bars = await emulator.call("GET", PROJECT, asked);
        return bars.reduce((sum, bar) => sum + bar.count, 0);
    };
    for (let tries = 0; (await found()) < LINES; tries++) {
        if (tries > 240) throw new Error(`the lines do not arrive: ${collector.said()}`);
        await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const fault = { name: "busy", when: { operation: "write" }, what: { error: { status: 503 } }, for_ms: 600_000 };
    const response = await fetch(`${emulator.endpoint}/_mock/v1/faults`, { method: "POST", body: JSON.stringify(fault) });
    if (!response.ok) throw new Error(`no fault is shown: ${await response.text()}`);
}
