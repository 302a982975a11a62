// An emulator with its console, and logs for it: written through the API's PutLogs, as collectors write.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createInterface } from "node:readline";

const NAME = "sls.test";

/**
 * Starts the emulator that MOCK_SLS_BIN names, without signatures.
 * @param {string[]} options further options of `serve`
 */
export async function start(...options) {
    const program = process.env.MOCK_SLS_BIN;
    if (!program) throw new Error("set MOCK_SLS_BIN to the emulator, e.g. target/debug/mock-sls");
    const args = ["serve", "--listen", "127.0.0.1:0", "--auth", "off", "--endpoint-host", NAME, "-o", "json"];
    const child = spawn(program, [...args, ...options], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const said = JSON.parse(line);
    return new Emulator(child, said.endpoint, said.console);
}

class Emulator {
    constructor(child, endpoint, console) {
        this.child = child;
        /** `http://127.0.0.1:PORT` of the API. */
        this.endpoint = endpoint;
        /** `http://127.0.0.1:PORT` of the console. */
        this.console = console.replace(/\/$/, "");
    }

    /** Calls the API; `body` is sent as JSON unless it is bytes. Fails unless the answer is 200. */
    async call(method, project, path, body, headers = {}) {
        const { hostname, port } = new URL(this.endpoint);
        const bytes = body === undefined || body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
        const host = project ? `${project}.${NAME}` : NAME;
        const sent = request({
            hostname, port, method, path,
            headers: {
                host,
                "x-log-apiversion": "0.6.0",
                "x-log-bodyrawsize": bytes?.length ?? 0,
                "content-type": "application/json",
                "content-length": bytes?.length ?? 0,
                ...headers,
            },
        });
        sent.end(bytes);
        const [answer] = await once(sent, "response");
        const parts = [];
        for await (const part of answer) parts.push(part);
        const text = Buffer.concat(parts).toString();
        if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
        return text ? JSON.parse(text) : null;
    }

    /** A project with a Logstore whose index has these fields: `{name: "text" | "long" | "double"}`. */
    async logstore(project, logstore, fields = {}) {
        await this.call("POST", project, "/", { projectName: project, description: "" }).catch((error) => {
            if (!/ProjectAlreadyExist/.test(error.message)) throw error;
        });
        await this.call("POST", project, "/logstores", { logstoreName: logstore, ttl: 30, shardCount: 2 });
        const token = [",", " ", "'", '"', ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/", ":", "\n", "\t"];
        const key = (type) => ({ type, doc_value: true, ...(type === "text" && { token, caseSensitive: false }) });
        const keys = Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, key(type)]));
        const index = { line: { token, caseSensitive: false }, ...(Object.keys(keys).length && { keys }) };
        await this.call("POST", project, `/logstores/${logstore}/index`, index);
    }

    /**
     * Writes logs. A log is `{time: seconds, name: value, …}`; values are strings or bytes.
     * @param {{topic?: string, source?: string, tags?: Record<string, string>}} [group]
     */
    async put(project, logstore, logs, group = {}) {
        const body = logGroup(logs, group);
        const headers = { "content-type": "application/x-protobuf" };
        await this.call("POST", project, `/logstores/${logstore}/shards/lb`, body, headers);
    }

    async stop() {
        this.child.kill("SIGTERM");
        await once(this.child, "exit");
    }
}

/** The protobuf LogGroup: only the fields that the tests need. */
function logGroup(logs, { topic = "", source = "127.0.0.1", tags = {} }) {
    const parts = [];
    for (const { time, ...fields } of logs) {
        const log = [varint(8), varint(time ?? Math.floor(Date.now() / 1000))];
        for (const [key, value] of Object.entries(fields)) log.push(...message(2, pair(key, value)));
        parts.push(...message(1, log));
    }
    parts.push(...message(3, [Buffer.from(topic)]), ...message(4, [Buffer.from(source)]));
    for (const [key, value] of Object.entries(tags)) parts.push(...message(6, pair(key, value)));
    return Buffer.concat(parts);
}

const pair = (key, value) => [...message(1, [Buffer.from(key)]), ...message(2, [Buffer.from(value)])];

function message(number, parts) {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    return [varint((number << 3) | 2), varint(length), ...parts];
}

function varint(number) {
    const bytes = [];
    for (let rest = number; ; rest = Math.floor(rest / 128)) {
        if (rest < 128) return Buffer.from([...bytes, rest]);
        bytes.push((rest % 128) | 128);
    }
}
