'use strict';
// Orders as the Node client writes them, expected of the emulator at MOCK_SLS_ENDPOINT.

const assert = require('node:assert/strict');
const dns = require('node:dns');
const { after, before, test } = require('node:test');
const Client = require('@alicloud/log');

const emulator = new URL(process.env.MOCK_SLS_ENDPOINT);
const project = `node-${Date.now().toString(36)}`;
const logstore = 'orders';

// The client ignores HTTP_PROXY, so the made-up name must lead to the emulator by itself.
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name.endsWith('sls.test') ? emulator.hostname : name, ...rest);

const client = new Client({
  endpoint: `sls.test:${emulator.port}`,
  accessKeyId: 'mockAccessKeyId',
  accessKeySecret: 'mockAccessKeySecret',
});

/** Calls the emulator; a verdict that something does not hold comes with status 417. */
async function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  const url = new URL(`/_mock/v1/${path}`, emulator);
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const json = await answer.json();
  assert.ok([200, 417].includes(answer.status), json.error);
  return json;
}

const expect = (members) => post('expect', { project, logstore, ...members });

const put = (content) =>
  client.postLogStoreLogs(project, logstore, { logs: [{ content, timestamp: Math.floor(Date.now() / 1000) }] });

before(async () => {
  await client.createProject(project, { description: '' });
  await client.createLogStore(project, logstore, { ttl: 1, shardCount: 2 });
  const key = { type: 'text', token: [' '], doc_value: true };
  await client.createIndex(project, logstore, { keys: { order: key, status: key } });
});

after(() => client.deleteProject(project));

test('every paid order arrives once', async () => {
  await put({ order: '1000', status: 'paid' }); // before this test's scope
  const { scope } = await post('scopes');
  const asked = expect({
    query: 'status:paid', scope, count: { op: 'exactly', n: 2 },
    each: [{ field: 'order', matches: '^100[12]$' }],
  });
  for (const [order, status] of [['1001', 'paid'], ['1002', 'paid'], ['1003', 'refused']]) await put({ order, status });
  const verdict = await asked;
  assert.ok(verdict.ok, verdict.text);
});

test('a missing order is named', async () => {
  await put({ order: '1001', status: 'paid' });
  const verdict = await expect({ query: 'order:1004 and status:paid', timeout_ms: 100 });
  assert.equal(verdict.ok, false);
  assert.match(verdict.text, /1 log is missing/);
  assert.match(verdict.text, /does not hold: order:1004 \(it is "\d+"\)/);
});
