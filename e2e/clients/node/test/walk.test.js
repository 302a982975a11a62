'use strict';
// @alicloud/log, from a new project to its removal: every method that it has. It has none for
// shards, pulling, context, consumer groups, machine groups, configs and tags, signs with version 1
// only and never compresses.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { start } = require('../emulator.js');
const Client = require('@alicloud/log');

let emulator;
let client;
const project = `node-${Date.now().toString(36)}`;
const store = 'access';

before(async () => {
  emulator = await start();
  client = clientWith({});
  await client.createProject(project, { description: 'made by the Node client' });
  await client.createLogStore(project, store, { ttl: 30, shardCount: 2 });
  await client.createIndex(project, store, {
    ttl: 30,
    line: { token: [' ', ','], caseSensitive: false },
    keys: {
      method: { type: 'text', token: [' '], caseSensitive: false, doc_value: true },
      n: { type: 'long', doc_value: true },
    },
  });
});

after(async () => {
  await client.deleteLogStore(project, store);
  await client.deleteProject(project);
  await assert.rejects(client.getProject(project), { code: 'ProjectNotExist' });
  await emulator.stop('node');
});

function clientWith({ keyId = emulator.keyId, secret = emulator.keySecret }) {
  return new Client({ endpoint: emulator.endpoint, accessKeyId: keyId, accessKeySecret: secret });
}

function put(content) {
  const timestamp = Math.floor(Date.now() / 1000);
  return client.postLogStoreLogs(project, store, {
    logs: [{ content, timestamp }],
    topic: 'topic-a',
    source: '10.0.0.9',
    tags: [{ pod: 'web-0' }],
  });
}

const from = () => new Date(Date.now() - 600_000);
const to = () => new Date(Date.now() + 600_000);

test('a project is described as it was made', async () => {
  const got = await client.getProject(project);
  assert.equal(got.projectName, project);
  assert.equal(got.description, 'made by the Node client');
});

test('a logstore is listed, read and updated', async () => {
  assert.deepEqual((await client.listLogStore(project)).logstores, [store]);
  await client.updateLogStore(project, store, { ttl: 7, shardCount: 2 });
  const got = await client.getLogStore(project, store);
  assert.deepEqual([got.ttl, got.shardCount], [7, 2]);
});

test('an index is read as it was made', async () => {
  const got = await client.getIndexConfig(project, store);
  assert.equal(got.keys.method.type, 'text');
  assert.deepEqual(got.line.token, [' ', ',']);
});

test('a written log is found with its fields', async () => {
  await put({ method: 'GET', status: '404', path: '/中 文' });
  const rows = await client.getLogs(project, store, from(), to(), { query: 'method: GET and 404' });
  assert.equal(rows.length, 1);
  const { method, path, __topic__, __source__, '__tag__:pod': pod } = rows[0];
  assert.deepEqual([method, path, __topic__, __source__, pod], ['GET', '/中 文', 'topic-a', '10.0.0.9', 'web-0']);
  assert.equal((await client.getLogs(project, store, from(), to(), { query: 'method: POST' })).length, 0);
});

test('a histogram and SQL count every log', async () => {
  await put({ method: 'PUT' });
  await put({ method: 'PUT' });
  const buckets = await client.getHistograms(project, store, from(), to(), { query: 'method: PUT' });
  assert.equal(buckets.reduce((sum, bucket) => sum + bucket.count, 0), 2);
  const query = 'method: PUT | select count(*) as n';
  assert.equal((await client.getLogs(project, store, from(), to(), { query }))[0].n, '2');
});

test('logs are paged in both directions, with nanoseconds', async () => {
  const timestamp = Math.floor(Date.now() / 1000);
  const logs = [0, 1, 2, 3].map((n) => ({ timestamp, timestampNsPart: n + 1, content: { method: 'PAGE', n: `${n}` } }));
  await client.postLogStoreLogs(project, store, { logs });
  const page = async (line, offset, reverse) => {
    const rows = await client.getLogs(project, store, from(), to(), { query: 'PAGE', line, offset, reverse });
    return rows.map(({ n, __time_ns_part__: ns }) => `${n}.${ns}`);
  };
  assert.deepEqual(await page(2, 0, false), ['0.1', '1.2']);
  assert.deepEqual(await page(2, 2, false), ['2.3', '3.4']);
  assert.deepEqual(await page(10, 1, true), ['2.3', '1.2', '0.1']);
  const topics = await client.getLogs(project, store, from(), to(), { query: 'PAGE', topic: 'topic-a' });
  assert.equal(topics.length, 0);
});

test('SQL on the project names its logstore', async () => {
  await put({ method: 'SUM', n: '3' });
  await put({ method: 'SUM', n: '4' });
  const query = `select sum(n) as s from ${store} where method = 'SUM' and __time__ > ${from().getTime() / 1000 | 0}`;
  assert.equal((await client.getProjectLogs(project, { query }))[0].s, '7');
  await assert.rejects(client.getProjectLogs(project, { query: 'select 1 as a from missing' }), {
    code: 'LogStoreNotExist',
  });
});

test('an index is changed, removed and made again', async () => {
  await client.createLogStore(project, 'other', { ttl: 1, shardCount: 1 });
  const index = (type) => ({ keys: { k: { type, doc_value: true } } });
  await assert.rejects(client.getIndexConfig(project, 'other'), { code: 'IndexConfigNotExist' });
  await client.createIndex(project, 'other', index('long'));
  await assert.rejects(client.createIndex(project, 'other', index('long')), { code: 'IndexAlreadyExist' });
  await client.updateIndex(project, 'other', index('double'));
  assert.equal((await client.getIndexConfig(project, 'other')).keys.k.type, 'double');
  await client.deleteIndex(project, 'other');
  await assert.rejects(client.getLogs(project, 'other', from(), to()), { code: 'IndexConfigNotExist' });
  const listed = await client.listLogStore(project, { logstoreName: 'oth', offset: 0, size: 10 });
  assert.deepEqual([listed.logstores, listed.total], [['other'], 1]);
  await client.deleteLogStore(project, 'other');
  await assert.rejects(client.getLogStore(project, 'other'), { code: 'LogStoreNotExist' });
});

test('errors have the codes of the service', async () => {
  await assert.rejects(client.getLogStore(project, 'missing'), { code: 'LogStoreNotExist' });
  await assert.rejects(client.getProject('missing-project'), { code: 'ProjectNotExist' });
  await assert.rejects(client.createProject(project, {}), { code: 'ProjectAlreadyExist' });
  await assert.rejects(client.createLogStore(project, store, { ttl: 1, shardCount: 1 }), {
    code: 'LogStoreAlreadyExist',
  });
  await assert.rejects(client.getLogs(project, store, to(), from()), { code: 'InvalidTimeRange' });
  await assert.rejects(put({ ['k'.repeat(129)]: 'v' }), { code: 'InvalidKey' });
  await assert.rejects(clientWith({ secret: 'wrong' }).listLogStore(project), { code: 'SignatureNotMatch' });
  await assert.rejects(clientWith({ keyId: 'nobody' }).listLogStore(project), { code: 'Unauthorized' });
});
