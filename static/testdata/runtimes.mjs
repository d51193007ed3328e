// Plays with sockets of client.js outside of a browser, and prints their events.
// Arguments: the URL of a server that answers lines, and one where nothing listens.

delete URL.canParse; // Safari 16 has none

const { connect } = await import('./client.js');
const [server, nobody] = globalThis.Deno?.args ?? process.argv.slice(2);

function line({ type, data, code, reason, wasClean, detail }, { readyState }) {
  switch (type) {
    case 'message': return data;
    case 'close': return `close ${readyState} ${code} ${reason} ${wasClean}`;
    case 'reconnecting': return `reconnecting ${readyState} ${detail.attempt} after ${detail.code}`;
    default: return `${type} ${readyState}`;
  }
}

// over resolves at the close event of a socket, on whose events handle is called.
function over(socket, handle = () => {}) {
  for (const type of ['open', 'message', 'error', 'reconnecting', 'resumed']) {
    socket.addEventListener(type, (event) => (console.log(line(event, socket)), handle(event)));
  }
  return new Promise((done) => { socket.onclose = (event) => done(console.log(line(event, socket), event instanceof Event, event.constructor.name)); });
}

const socket = connect(server);
await over(socket, ({ type, detail, data }) => {
  if (type === 'reconnecting' && detail.attempt === 1) socket.send('two');
  if (data === 'got two') socket.send('end');
});
for (const resume of [true, false]) await over(connect(nobody, { resume }));
const cancelled = connect(server);
cancelled.close();
await over(cancelled);
try {
  connect('ftp://x/');
} catch (error) {
  console.log(error.name);
}
