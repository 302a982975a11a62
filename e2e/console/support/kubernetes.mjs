// An API server that tells of one pod with a sidecar, a config that is refused, and a log that grows.

import { once } from "node:events";
import { createServer } from "node:http";

const pod = {
    kind: "Pod",
    metadata: { name: "nginx-1", namespace: "default", creationTimestamp: "2026-01-31T09:05:00Z" },
    spec: {
        containers: [
            { name: "app", image: "nginx", env: [{ name: "ACCESS_KEY_SECRET", value: "hush" }] },
            {
                name: "logtail",
                image: "logtail",
                livenessProbe: { exec: { command: ["/etc/init.d/ilogtaild", "status"] }, periodSeconds: 30 },
            },
        ],
    },
    status: {
        phase: "Running",
        conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady", message: "containers with unready status: [logtail]" }],
        containerStatuses: [
            { name: "app", ready: true, restartCount: 0, state: { running: { startedAt: "2026-01-31T09:05:07Z" } } },
            {
                name: "logtail",
                ready: false,
                restartCount: 3,
                state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 40s restarting failed container" } },
                lastState: { terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: "2026-01-31T09:06:00Z" } },
            },
        ],
    },
};
const job = {
    metadata: { name: "demo", namespace: "default", creationTimestamp: "2026-01-31T09:05:00Z" },
    spec: { completions: 1 },
    status: { active: 1, conditions: [] },
};
const config = {
    metadata: { name: "nginx-log-access", namespace: "default", creationTimestamp: "2026-01-31T09:05:00Z" },
    spec: { logstore: "nginx-access" },
    status: { project: "demo-project", conditions: [{ type: "Accepted", status: "False", reason: "Invalid", message: "the regular expression has 11 groups for 10 keys" }] },
};
const event = {
    metadata: { name: "e1", namespace: "default" },
    type: "Warning",
    reason: "BackOff",
    message: "Back-off restarting failed container <img src=x onerror=alert(1)>",
    count: 7,
    lastTimestamp: "2026-01-31T09:07:00Z",
    involvedObject: { kind: "Pod", namespace: "default", name: "nginx-1" },
};
const list = (...items) => ({ kind: "List", metadata: {}, items });
const table = (columns, ...rows) => ({
    kind: "Table",
    columnDefinitions: columns.map((name) => ({ name, priority: 0 })),
    rows: rows.map(([cells, object]) => ({ cells, object })),
});

const ANSWERS = {
    "/api/v1/namespaces": list({ metadata: { name: "default" } }, { metadata: { name: "empty" } }),
    "/api/v1/pods": list(pod),
    "/api/v1/namespaces/empty/pods": list(),
    "/api/v1/namespaces/default/pods/nginx-1": pod,
    "/api/v1/events": list(event),
    "/api/v1/namespaces/default/events": list(event),
    "/apis/batch/v1/jobs": list(job),
    "/apis/apps/v1/deployments": list(),
    "/apis/log.alibabacloud.com/v1alpha1/aliyunlogconfigs": table(["Name", "Project", "Ready"], [["nginx-log-access", "demo-project", "False"], config]),
};

/** Starts it; `log` is what the containers have written, to be added to. */
export async function cluster() {
    const log = [];
    const server = createServer((request, response) => {
        const { pathname } = new URL(request.url, "http://cluster");
        if (pathname.endsWith("/log")) return response.end(log.map((line) => `${line}\n`).join(""));
        const answer = ANSWERS[pathname];
        response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
        response.end(JSON.stringify(answer ?? { kind: "Status", code: 404, message: `nothing at ${pathname}` }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        log,
        async stop() {
            server.closeAllConnections();
            server.close();
            await once(server, "close");
        },
    };
}
