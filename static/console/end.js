// What the end of a connection means, in words. The codes are those of RFC 6455
// section 7.4 and of its registry; above 4000 they are wspipe's own.

const names = {
  1000: 'normal closure', 1001: 'going away', 1002: 'protocol error', 1003: 'unsupported data',
  1005: 'no code', 1006: 'no close frame', 1007: 'invalid text', 1008: 'policy violation',
  1009: 'message too big', 1010: 'missing extension', 1011: 'internal error', 1012: 'service restart',
  1013: 'try again later', 1014: 'bad gateway', 1015: 'TLS failure',
};

const other = 'the program with --share=mux, a proxy, or another server';

// Where the reason decides, there is one of these for its beginning, too. The
// first word is the tone: good, bad or idle, which is neither.
const meanings = {
  1001: ['bad', 'Server shutting down', 'The server stops. It closes all connections and stops all programs.'],
  'ended by the operator': ['bad', 'Ended by the operator', 'The operator ended this session and its program, with wspipe kill. Connect starts another.'],
  1002: ['bad', 'Protocol error', 'A frame from this page was invalid (RFC 6455). Browsers send none: a proxy may have changed it.'],
  1003: ['bad', 'Unsupported data', 'The receiver does not accept messages of this kind, text or binary. wspipe accepts both.'],
  1005: ['idle', 'Closed without a code', 'The close frame has no code. wspipe always sends one, so this was another server.'],
  1006: ['bad', 'Connection lost', 'There was no close frame: the network failed, or wspipe or a proxy was killed.'],
  1007: ['bad', 'Text that is not UTF-8', 'A text message was not valid UTF-8. Send other bytes as binary messages.'],
  1008: ['bad', 'Policy violation', 'The side that closed the connection did not say which policy.'],
  'no answer to pings': ['bad', 'No answer to pings', 'wspipe sends a ping every --pingms, and got no answer: the network failed, or the computer slept.'],
  1009: ['bad', 'Message too big', 'It was longer than --maxframesize allows. The program received no complete line of it.'],
  'control message': ['bad', 'Control message too big', 'Messages on the control channel, such as signals and sizes, are short.'],
  1011: ['bad', 'Internal error', 'The log of the server that closed the connection says what failed.'],
  'cannot start: ': ['bad', 'The program could not be started', 'Nothing ran. The log of wspipe says more.'],
  'bad ': ['bad', 'The program broke its framing', 'Its output does not follow --framing, so wspipe stopped it. The log of wspipe says more.'],
  1012: ['bad', 'Service restart', 'The server restarts, and will be back soon.'],
  1013: ['bad', 'This page was too slow', 'It fell too far behind a shared program, and the other clients do not wait for it; see --slow.'],
  1014: ['bad', 'Bad gateway', 'A proxy got no valid response from the server behind it.'],
  4001: ['bad', 'Maximum run time reached', 'The program ran as long as --max-runtime allows.'],
  4002: ['bad', 'Idle for too long', 'There was no message either way within --idle-timeout.'],
  4010: ['idle', 'Session attached elsewhere', 'Another page or client attached to this session. The program runs on there; Connect takes it back.'],
  4011: ['bad', 'Part of the output is lost', 'This page was away for more output than --resume-buffer holds. The program runs on; Connect resumes with what is still there.'],
};

const signals = {
  HUP: [1, 'its terminal was closed'], INT: [2, 'interrupted, as by Ctrl-C'], QUIT: [3, 'as by Ctrl-\\'], ABRT: [6, 'it aborted'],
  KILL: [9, 'killed at once, often for lack of memory'], SEGV: [11, 'invalid memory access'], PIPE: [13, 'nobody reads its output'],
  TERM: [15, 'asked to stop'],
};

// Browsers keep the cause from pages. Asking the server takes a while; see refusal.js.
const refused = ['bad', 'The connection was not opened', 'Browsers do not tell a page why. Asking the server …'];

// explain takes {code, reason, opened, byUser}, and share, if the program has
// many clients, and returns {tone, title, detail, name}.
export function explain(end) {
  const [tone, title, detail] = meaning(end);
  return { tone, title, detail, name: codeName(end.code) };
}

function meaning(end) {
  const { code, reason, opened, byUser, share } = end;
  if (end.unanswered) return ['idle', 'Not answered', 'You closed the connection, and the server has not said that it did: it is stopped, too busy, or the network failed.'];
  // The status comes before the code: with --exit-close-code a program that
  // ends with status 1 closes with 4001, which is otherwise the max runtime.
  const [, status, signal] = /^(?:exit (\d+)|signal (\w+))$/.exec(reason) ?? [];
  const [tone, title, detail] = status ? exited(Number(status), code) : signal ? killed(signal) : [];
  if (tone) return [tone, title, share ? `${detail} All its clients were disconnected.` : detail];
  if (code === 1000) return normal(end);
  if (code === 1006 && !opened) return byUser ? ['idle', 'Cancelled', 'The connection was not open yet.'] : refused;
  const special = Object.keys(meanings).find((key) => Number.isNaN(Number(key)) && reason.startsWith(key));
  return meanings[special] ?? meanings[code] ?? ['bad', 'Closed by the server', `wspipe does not use this code: it is that of ${other}.`];
}

function exited(status, code) {
  if (status === 0) return ['good', 'Program ended: exit status 0', 'It succeeded, and all its output was delivered.'];
  const normal = code === 1000 ? ' The code is 1000 nevertheless, so that no client runs it again by itself; see --exit-close-code.' : '';
  return ['bad', `Program ended: exit status ${status}`, statusMeaning(status) + normal];
}

function killed(signal) {
  const why = signals[signal] ? ` (${signals[signal][1]})` : '';
  return ['bad', `Program ended by signal ${signal}`, `It did not exit by itself${why}. All its output was delivered.`];
}

function statusMeaning(status) {
  if (status === 126) return 'Shells use this status for a command that cannot be executed.';
  if (status === 127) return 'Shells use this status for a command that is not found.';
  if (status > 128 && status < 193) {
    const [name] = Object.entries(signals).find(([, [number]]) => number === status - 128) ?? [];
    return `Shells use this status when signal ${status - 128}${name ? ` (${name})` : ''} ended a program.`;
  }
  return 'A status other than 0 means failure. What this one means is up to the program.';
}

function normal({ byUser, reason, share }) {
  if (byUser) return ['idle', 'Disconnected', `You closed the connection; ${share ? 'the program runs on for its other clients, if any' : 'wspipe stops the program, and all processes that it has started'}.`];
  return ['idle', 'Closed by the server', `${reason ? 'The reason is not one of wspipe’s' : 'There is no exit status'}: this was ${other}.`];
}

// codeName is what a close code is called.
export function codeName(code) {
  return names[code] ?? (code >= 4000 ? 'application code' : code >= 3000 ? 'registered code' : 'unknown code');
}
