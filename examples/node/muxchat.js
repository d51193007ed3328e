#!/usr/bin/env node
// A chat room in one process. Everybody gets what is said, and "@bob hello" is for
// bob alone. Names come with the address: ws://localhost:8080/?name=ada
//
//   wspipe --port=8080 --share=mux ./examples/node/muxchat.js

const readline = require('node:readline');

process.stdout.on('error', () => process.exit()); // nobody reads: end quietly

const names = new Map(); // by client
const send = (to, text) => console.log(JSON.stringify({ to, data: text.replace(/\p{Cc}/gu, '') })); // a terminal would obey the rest

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { event, client, env, data = '(not text)' } = JSON.parse(line);
  if (event === 'open') {
    names.set(client, new URLSearchParams(env.QUERY_STRING).get('name') || `client ${client}`);
    send(client, `* here: ${[...names.values()].join(', ')}`);
    send('*', `* ${names.get(client)} joined`);
  } else if (event === 'close') {
    send('*', `* ${names.get(client)} left`);
    names.delete(client);
  } else if (data.startsWith('@')) {
    const [, name, text] = data.match(/^@(\S*)\s*(.*)/s);
    const to = [...names.keys()].filter((other) => other === client || names.get(other) === name);
    send(to, `${names.get(client)} to ${name}: ${text}`);
  } else {
    send('*', `${names.get(client)}: ${data}`);
  }
});
