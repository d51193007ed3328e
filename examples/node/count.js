#!/usr/bin/env node
// Counts to 10, or as far as the argument says, one number a second.
//
//   wspipe --port=8080 ./examples/node/count.js
//   wspipe --port=8080 ./examples/node/count.js 3

const { setTimeout: sleep } = require('node:timers/promises');
const last = Number(process.argv[2] ?? 10);

process.stdout.on('error', () => process.exit()); // nobody reads: end quietly

(async () => {
  for (let n = 1; n <= last; n++) {
    console.log(n); // Node writes to a pipe at once, there is nothing to flush
    await sleep(1000);
  }
})();
