'use strict';
// @alicloud/logger-sls, which sends logs from a page in a browser, in as much of a browser as it
// asks for.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { start } = require('../emulator.js');
const Client = require('@alicloud/log');

let emulator;
let client;
const project = `track-${Date.now().toString(36)}`;

before(async () => {
  emulator = await start();
  client = new Client({
    endpoint: emulator.endpoint,
    accessKeyId: emulator.keyId,
    accessKeySecret: emulator.keySecret,
  });
  await client.createProject(project, { description: '' });
  for (const [name, tracking] of [['open', true], ['closed', false]]) {
    // The client's createLogStore does not send enable_tracking.
    const settings = { logstoreName: name, ttl: 1, shardCount: 1, enable_tracking: tracking };
    await client._request('POST', project, '/logstores', {}, Buffer.from(JSON.stringify(settings)), {});
    await client.createIndex(project, name, { line: { token: [' '] } });
  }
});

after(async () => {
  await emulator.stop('browser');
});

function page() {
  const sent = [];
  const location = { host: 'shop.test', pathname: '/', search: '', hash: '' };
  const window = { location, screen: { width: 1, height: 1 }, setTimeout, clearTimeout, addEventListener() {} };
  window.top = window;
  const document = { querySelector: () => null, body: { getAttribute: () => '' }, documentElement: {}, referrer: '' };
  const plain = globalThis.fetch;
  const answered = (url, options) => {
    const answer = plain(url.startsWith('//') ? `http:${url}` : url, options);
    sent.push(answer);
    return answer;
  };
  const navigator = { userAgent: 'node', platform: 'test', language: 'en' };
  Object.assign(globalThis, { window, document, navigator, fetch: answered });
  window.fetch = answered;
  return sent;
}

test('a page writes to a logstore that is open for it, and only to that', async () => {
  const sent = page();
  const createLogger = require('@alicloud/logger-sls').default;
  for (const logstore of ['open', 'closed']) {
    const log = createLogger({ project, endpoint: emulator.endpoint, logstore });
    log('pageview', { button: 'buy' }, { instant: true });
  }
  const answers = await Promise.all(sent);
  assert.deepEqual(answers.map((answer) => answer.status), [200, 401]);
  const to = () => new Date(Date.now() + 600_000);
  const from = () => new Date(Date.now() - 600_000);
  const rows = await client.getLogs(project, 'open', from(), to(), { query: 'buy' });
  assert.equal(rows.length, 1);
  assert.equal(rows[0].TOPIC, 'pageview');
});

test('a page of another origin may send', async () => {
  const answer = await fetch(`http://${project}.${emulator.endpoint}/logstores/open/track`, {
    method: 'OPTIONS',
    headers: { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-log-apiversion' },
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.match(answer.headers.get('access-control-allow-methods'), /POST/);
});
