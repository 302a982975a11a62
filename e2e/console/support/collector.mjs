// The collector in a folder of its own, as the sidecar's entry point starts it, and nginx's access log for it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Starts the collector that COLLECTOR_BIN names.
 * @param {string} endpoint `http://HOST:PORT` of the emulator
 * @param {string} userDefinedId of the machine group it belongs to
 */
export async function collect(endpoint, userDefinedId) {
    const program = process.env.COLLECTOR_BIN;
    if (!program) throw new Error("set COLLECTOR_BIN to the collector, e.g. target/debug/collector");
    const root = await mkdtemp(join(tmpdir(), "console-collector-"));
    const config = {
        primary_region: "cn-hangzhou",
        config_server_list: [{ cluster: "test", endpoint_list: [new URL(endpoint).host] }],
        data_servers: [{ region: "cn-hangzhou", endpoint_list: [endpoint] }],
        default_access_key_id: "mockAccessKeyId",
        default_access_key: "mockAccessKeySecret",
        heartbeat_interval: 1,
        check_point_path: "/state",
    };
    const folder = join(root, "etc/ilogtail/conf/cn-hangzhou-internet");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "ilogtail_config.json"), JSON.stringify(config));
    await mkdir(join(root, "var/log/nginx"), { recursive: true });
    const child = spawn(program, ["run"], {
        stdio: ["ignore", "ignore", "pipe"],
        env: {
            SLS_PATH_PREFIX: root,
            ALIYUN_LOGTAIL_CONFIG: "/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json",
            ALIYUN_LOGTAIL_USER_DEFINED_ID: userDefinedId,
            HOSTNAME: "nginx-pod-1",
            _pod_ip_: "127.0.0.1",
        },
    });
    const said = [];
    child.stderr.on("data", (data) => said.push(data));
    return {
        /** Adds lines to a file below `/var/log/nginx` of the collector. */
        write: (name, lines) => appendFile(join(root, "var/log/nginx", name), lines.map((line) => `${line}\n`).join("")),
        /** What the collector has to say. */
        said: () => Buffer.concat(said).toString(),
        async stop() {
            child.kill("SIGTERM");
            if (child.exitCode === null) await once(child, "exit");
            await rm(root, { recursive: true, force: true });
        },
    };
}

/** Lines of nginx's `log_format` main with these statuses, a second apart and up to now. */
export function accessLines(statuses) {
    const now = Date.now();
    const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    return statuses.map((status, at) => {
        const time = new Date(now - (statuses.length - at) * 1000);
        const [day, hours] = time.toISOString().split("T");
        const [year, number, date] = day.split("-");
        const shown = `${date}/${month[number - 1]}/${year}:${hours.slice(0, 8)} +0000`;
        return `10.0.0.${at % 250} - - [${shown}] "GET /item/${at}?q=a HTTP/1.1" ${status} ${500 + at} "-" "Mozilla/5.0 (X11)"`;
    });
}
