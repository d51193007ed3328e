#!/usr/bin/env node
// Answers every name it reads with a greeting, until the client goes.
//
//   wspipe --port=8080 ./examples/node/greeter.js

const readline = require('node:readline');

process.stdout.on('error', () => process.exit()); // nobody reads: end quietly

readline.createInterface({ input: process.stdin }).on('line', (name) => {
  console.log(`Hello, ${name}!`); // Node writes to a pipe at once, there is nothing to flush
});
