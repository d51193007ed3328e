#!/usr/bin/env node
// Serves any stdio server of the Model Context Protocol to many clients: over HTTP, one POST for
// each message (Streamable HTTP of revision 2026-07-28), and over WebSockets with subprotocol mcp.
//   wspipe --port=8080 --share=mux --http --subprotocol=mcp ./examples/node/mcp.js SERVER [ARG...]

const { spawn } = require('node:child_process');
const { createInterface } = require('node:readline');

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
const http = new Map(); // by client: whether it is a plain request, which ends with its response
const pending = new Map(); // requests, by the ID and progress token that the server gets
const hello = new Map(); // the handshake of older revisions, which a server makes once
let server = null, lastID = 0, welcome = null;

process.stdout.on('error', () => process.exit()); // nobody reads: end quietly
const order = (members) => console.log(JSON.stringify(members));
const error = (code, message) => ({ error: { code, message } });

function respond({ client, id }, message) {
  order({ to: client, data: JSON.stringify({ jsonrpc: '2.0', ...message, id }) });
  if (http.get(client)) order({ close: client });
}

function start() {
  const child = spawn(process.argv[2], process.argv.slice(3), { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {}); // its end responds
  createInterface({ input: child.stdout }).on('line', (line) => fromServer(JSON.parse(line)));
  child.on('exit', () => { server = null; });
  child.on('close', () => {
    for (const [n, request] of pending) {
      if (request.server === child && pending.delete(n)) respond(request, error(-32603, 'the server has exited'));
    }
  });
  return child;
}

function toServer(message) {
  const again = server ? [] : [...hello.values()].filter((earlier) => earlier !== message);
  server ??= start();
  server.stdin.write([...again, message].map((m) => `${JSON.stringify(m)}\n`).join(''));
}

function fromServer(message) {
  const { id: n, method, params = {} } = message;
  const about = params.progressToken ?? params._meta?.[SUBSCRIPTION];
  const request = pending.get(method ? about : n);
  if (!method && request) {
    if (request.method === 'initialize' && message.result) welcome = message;
    pending.delete(n);
    respond(request, message);
  } else if (request) { // a notification about a request, which its client knows by other names
    if ('progressToken' in params) params.progressToken = request.token;
    if (SUBSCRIPTION in (params._meta ?? {})) params._meta[SUBSCRIPTION] = request.id;
    order({ to: request.client, data: JSON.stringify(message) });
  } else if (method && n === undefined && about === undefined) {
    order({ to: [...http.keys()].filter((client) => !http.get(client)), data: JSON.stringify(message) });
  }
}

function fromClient(client, message) {
  const { id, method, params } = message;
  if (typeof method !== 'string' || typeof (params ?? {}) !== 'object' || Array.isArray(params)) throw new SyntaxError();
  if (method === 'initialize' && welcome) {
    respond({ client, id }, welcome);
  } else if (id !== undefined) {
    message.id = ++lastID;
    const token = params?._meta?.progressToken;
    if (token !== undefined) params._meta.progressToken = lastID;
    if (method === 'initialize') hello.set(method, message);
    toServer(message);
    pending.set(lastID, { client, id, token, method, server });
  } else if (method === 'notifications/cancelled') {
    cancel((request) => request.client === client && request.id === params.requestId);
  } else if (!hello.has(method)) {
    if (method === 'notifications/initialized') hello.set(method, message);
    toServer(message);
  }
  if (id === undefined && http.get(client)) order({ close: client });
}

function cancel(matches) {
  for (const [requestId, request] of pending) {
    if (!matches(request)) continue;
    pending.delete(requestId);
    toServer({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } });
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { event, client, env, data = '' } = JSON.parse(line);
  if (event === 'open') {
    http.set(client, env.HTTP_UPGRADE?.toLowerCase() !== 'websocket');
  } else if (event === 'close') {
    cancel((request) => request.client === client);
    http.delete(client);
  } else {
    try { fromClient(client, JSON.parse(data)); } catch { respond({ client, id: null }, error(-32600, 'not a JSON-RPC message')); }
  }
}).on('close', () => process.exit());
