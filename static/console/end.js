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
  1001: ['bad', 'Server shutting down', 'wspipe was told to stop. It ends every connection and every program.'],
  'ended by the operator': ['bad', 'Ended by the operator', 'The operator ended this session and its program, with wspipe kill. Connect starts another.'],
  1002: ['bad', 'Protocol error', 'What came from here broke RFC 6455. Browsers do not do that: a proxy in between may have changed it.'],
  1003: ['bad', 'Unsupported data', 'The receiver takes no messages of this kind, text or binary. wspipe takes both.'],
  1005: ['idle', 'Closed without a code', 'wspipe always gives one, so this was another server.'],
  1006: ['bad', 'Connection lost', 'It broke off without a close frame: the network failed, or wspipe or a proxy in between was killed.'],
  1007: ['bad', 'Text that is not UTF-8', 'A text message held other bytes than UTF-8. Those go in binary messages.'],
  1008: ['bad', 'Against the rules', 'Which rule that is, only who closed knows.'],
  'no answer to pings': ['bad', 'This page fell silent', 'wspipe asks every --pingms whether the other side is there, and had no answer: the network failed, or the computer slept.'],
  1009: ['bad', 'Message too big', 'It was longer than --maxframesize allows. The program got no complete line of it.'],
  'control message': ['bad', 'Control message too big', 'Signals and sizes go in short messages on the control channel.'],
  1011: ['bad', 'Internal error', 'What failed is told by the log of who closed.'],
  'cannot start: ': ['bad', 'The program could not be started', 'Nothing ran. The log of wspipe tells more.'],
  'bad ': ['bad', 'The program broke its framing', 'What it wrote is not what --framing says, so wspipe stopped it. The log of wspipe tells more.'],
  1012: ['bad', 'Service restart', 'It will be back soon.'],
  1013: ['bad', 'This page was too slow', 'It fell too far behind a shared program, and others need not wait for it; see --slow.'],
  1014: ['bad', 'Bad gateway', 'A proxy in between had no good answer from the server behind it.'],
  4001: ['bad', 'Time is up', 'The program ran as long as --max-runtime allows.'],
  4002: ['bad', 'Nothing was said for too long', 'No message came either way within --idle-timeout.'],
  4010: ['idle', 'Session attached elsewhere', 'Another page or client took this session over. The program runs on there; Connect takes it back.'],
  4011: ['bad', 'Part of the output is lost', 'This page was away for more output than --resume-buffer holds. The program runs on; Connect goes on with what is still there.'],
};

const signals = {
  HUP: [1, 'its terminal or session is gone'], INT: [2, 'interrupted, as by Ctrl-C'], QUIT: [3, 'as by Ctrl-\\'], ABRT: [6, 'it gave up by itself'],
  KILL: [9, 'killed at once; short memory is a common cause'], SEGV: [11, 'bad memory access'], PIPE: [13, 'nobody read what it wrote'],
  TERM: [15, 'asked to stop'],
};

// Browsers keep the cause from pages. Asking the server takes a while; see refusal.js.
const refused = ['bad', 'The connection was not opened', 'Browsers do not tell pages why. The server is being asked …'];

// explain takes {code, reason, opened, byUser}, and share, if the program has
// many clients, and returns {tone, title, detail, name}.
export function explain(end) {
  const [tone, title, detail] = meaning(end);
  return { tone, title, detail, name: nameOf(end.code) };
}

function meaning(end) {
  const { code, reason, opened, byUser, share } = end;
  if (end.unanswered) return ['idle', 'Not answered', 'You closed the connection, and the server has not said that it did: it is stopped, too busy, or the network failed.'];
  // The status comes before the code: with --exit-close-code a program that
  // ends with status 1 closes with 4001, which is otherwise the max runtime.
  const [, status, signal] = /^(?:exit (\d+)|signal (\w+))$/.exec(reason) ?? [];
  const [tone, title, detail] = status ? exited(Number(status), code) : signal ? killed(signal) : [];
  if (tone) return [tone, title, share ? `${detail} All its clients got this end.` : detail];
  if (code === 1000) return normal(end);
  if (code === 1006 && !opened) return byUser ? ['idle', 'Cancelled', 'The connection was not open yet.'] : refused;
  const special = Object.keys(meanings).find((key) => Number.isNaN(Number(key)) && reason.startsWith(key));
  return meanings[special] ?? meanings[code] ?? ['bad', 'Closed by the server', `wspipe does not use this code: it is that of ${other}.`];
}

function exited(status, code) {
  if (status === 0) return ['good', 'Program ended: exit status 0', 'It succeeded, and all that it wrote was delivered.'];
  const normal = code === 1000 ? ' The code is 1000 all the same, so that no client runs it again by itself; see --exit-close-code.' : '';
  return ['bad', `Program ended: exit status ${status}`, statusMeaning(status) + normal];
}

function killed(signal) {
  const why = signals[signal] ? ` (${signals[signal][1]})` : '';
  return ['bad', `Program ended by signal ${signal}`, `It did not end by itself${why}. All that it wrote before was delivered.`];
}

function statusMeaning(status) {
  if (status === 126) return 'Shells say so when a command is found but cannot be executed.';
  if (status === 127) return 'Shells say so when a command is not found.';
  if (status > 128 && status < 193) {
    const [name] = Object.entries(signals).find(([, [number]]) => number === status - 128) ?? [];
    return `Shells say so when signal ${status - 128}${name ? ` (${name})` : ''} ended a program.`;
  }
  return 'Any status but 0 means that it failed; what this one means is up to the program.';
}

function normal({ byUser, reason, share }) {
  if (byUser) return ['idle', 'Disconnected', `You closed the connection; ${share ? 'the program goes on for its other clients, if there are any' : 'wspipe stops the program, and all that it started'}.`];
  return ['idle', 'Closed by the server', `${reason ? 'The reason is its own' : 'It gave no exit status'}: this was ${other}.`];
}

function nameOf(code) {
  return names[code] ?? (code >= 4000 ? 'application code' : code >= 3000 ? 'registered code' : 'unknown code');
}
