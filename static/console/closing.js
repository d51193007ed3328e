// What the end of a connection means, in words. The codes are those of RFC 6455
// section 7.4 and of its registry; above 4000 they are wspipe's own.

const names = {
  1000: 'normal closure', 1001: 'going away', 1002: 'protocol error', 1003: 'unsupported data',
  1005: 'no code', 1006: 'no close frame', 1007: 'invalid text', 1008: 'policy violation',
  1009: 'message too big', 1011: 'internal error', 1012: 'service restart',
  1013: 'try again later',
};

// The first word is the tone: good, bad or idle, which is neither.
const meanings = {
  1001: ['bad', 'Server shutting down', 'wspipe was told to stop. It ends every connection and every program.'],
  1005: ['idle', 'Closed without a code', 'wspipe always gives one, so this was another server.'],
  1006: ['bad', 'Connection lost', 'It broke off without a close frame: the network failed, or wspipe or a proxy in between was killed.'],
  1007: ['bad', 'Text that is not UTF-8', 'A text message held other bytes than UTF-8. Those go in binary messages.'],
  1009: ['bad', 'Message too big', 'It was longer than --maxframesize allows. The program got no complete line of it.'],
  1011: ['bad', 'The program could not be started', 'Nothing ran. The log of wspipe tells more.'],
  1013: ['bad', 'This page was too slow', 'It fell too far behind a shared program, and others need not wait for it; see --slow.'],
  4001: ['bad', 'Time is up', 'The program ran as long as --max-runtime allows.'],
  4002: ['bad', 'Nothing was said for too long', 'No message came either way within --idle-timeout.'],
  4010: ['idle', 'Session attached elsewhere', 'Another page or client took this session over. The program runs on there.'],
  4011: ['bad', 'Part of the output is lost', 'The client was away for more output than --resume-buffer holds, so the session cannot go on without a gap.'],
};

const signals = {
  INT: ' (interrupted, as by Ctrl-C)', KILL: ' (killed at once; short memory is a common cause)', PIPE: ' (nobody read what it wrote)',
  SEGV: ' (bad memory access)', TERM: ' (asked to stop)',
};

// explain takes {code, reason, opened, byUser, address, subprotocols, origin}
// and returns {tone, title, detail, causes, name}.
export function explain(end) {
  const [tone, title, detail, causes = []] = meaning(end);
  return { tone, title, detail, causes, name: nameOf(end.code) };
}

function meaning(end) {
  // The status comes before the code: with --exit-close-code a program that
  // ends with status 1 closes with 4001, which is otherwise the max runtime.
  const [, word, value] = /^(exit|signal) (\w+)$/.exec(end.reason) ?? [];
  if (word === 'exit') return exited(Number(value), end.code);
  if (word === 'signal') return ['bad', `Program ended by signal ${value}`, `It did not end by itself${signals[value] ?? ''}. All that it wrote before was delivered.`];
  if (end.code === 1000) return normal(end);
  if (end.code === 1006 && !end.opened) return end.byUser ? ['idle', 'Cancelled', 'The connection was not open yet.'] : refused(end);
  return meanings[end.code] ?? ['bad', 'Closed by the server', 'wspipe does not use this code: it is that of a proxy or of another server.'];
}

function exited(status, code) {
  if (status === 0) return ['good', 'Program ended: exit status 0', 'It succeeded, and all that it wrote was delivered.'];
  const normal = code === 1000 ? ' The code is 1000 all the same, so that no client runs it again by itself; see --exit-close-code.' : '';
  return ['bad', `Program ended: exit status ${status}`, statusMeaning(status) + normal];
}

function statusMeaning(status) {
  if (status === 126) return 'Shells say so when a command is found but cannot be executed.';
  if (status === 127) return 'Shells say so when a command is not found.';
  if (status > 128 && status < 160) return `Shells say so when signal ${status - 128} ended a program.`;
  return 'Any status but 0 means that it failed; what this one means is up to the program.';
}

function normal({ byUser, reason }) {
  if (byUser) return ['idle', 'Disconnected', 'You closed the connection; wspipe stops the program, and all that it started.'];
  return ['idle', 'Closed by the server', reason ? 'The reason is its own.' : 'It gave no exit status. wspipe does, so this was another server.'];
}

function nameOf(code) {
  return names[code] ?? (code >= 4000 ? 'application code' : code >= 3000 ? 'registered code' : 'unknown code');
}

// refused lists the likely causes, since browsers do not tell a page which
// status and body the server refused the handshake with.
function refused({ address, subprotocols, origin }) {
  const url = new URL(address);
  const causes = [`Nothing listens at ${url.host}: wspipe is not running, or elsewhere.`];
  const rule = originRule(url, origin);
  if (rule) causes.push(rule);
  causes.push('As many programs run as --maxforks or --max-per-ip allow (429): try again later.');
  causes.push(`There is no program at ${url.pathname} (404), or it wants a password or token (401).`);
  if (subprotocols.length) causes.push('The server speaks none of these subprotocols; see --subprotocol.');
  if (url.protocol === 'wss:') causes.push('The browser does not trust the certificate: open the https:// address to see why.');
  return ['bad', 'The connection was not opened', 'Browsers keep the cause from pages; the log of wspipe and the browser’s console (F12) have it. Likely ones:', causes];
}

const loopback = (name) => /^(\[::1\]|127\.[\d.]+|localhost)$/.test(name);

// originRule says which rule of wspipe keeps pages of origin out of url, if
// one may: between loopback addresses, and to an IP literal's own pages, none.
function originRule(url, origin) {
  const page = new URL(origin);
  if (loopback(url.hostname) && loopback(page.hostname)) return '';
  if (url.host !== page.host) return `wspipe keeps pages of other origins out (403): start it with --origin=${origin}`;
  return /^\[|^[\d.]+$/.test(url.hostname) ? '' : `wspipe does not trust the name ${url.hostname} (403): start it with --host=${url.hostname}`;
}
