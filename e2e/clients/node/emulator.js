'use strict';
// Starts the emulator that MOCK_SLS_BIN names, for the tests of this folder.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const dns = require('node:dns');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const NAME = 'sls.test';

// The client ignores HTTP_PROXY, so the made-up name must lead here by itself.
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name.endsWith(NAME) ? '127.0.0.1' : name, ...rest);

async function start() {
  const program = process.env.MOCK_SLS_BIN;
  if (!program) throw new Error('set MOCK_SLS_BIN to the emulator, e.g. target/debug/mock-sls');
  const child = spawn(program, ['serve', '--listen', '127.0.0.1:0', '-o', 'json', '--endpoint-host', NAME], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(readline.createInterface({ input: child.stdout }), 'line');
  const started = JSON.parse(line);
  const port = new URL(started.endpoint).port;
  return {
    endpoint: `${NAME}:${port}`,
    keyId: started.accessKeyId,
    keySecret: started.accessKeySecret,
    async stop(client) {
      const folder = process.env.MOCK_SLS_OPERATIONS_DIR;
      if (folder) {
        const counts = await (await fetch(`${started.endpoint}/_mock/v1/operations`)).text();
        fs.writeFileSync(path.join(folder, `${client}-${process.pid}.json`), counts);
      }
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

module.exports = { start };
