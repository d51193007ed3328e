// The developer console: joins the form, the connection, the log and the send
// box. Nothing that comes from a server or an address is ever parsed as HTML.

import { pageAddress, parseAddress, parseSubprotocols } from './address.js';
import { explain } from './closing.js';
import { Connection } from './connection.js';
import { copy, logText } from './copy.js';
import { bytes, count, plural } from './format.js';
import { LogView } from './logview.js';
import { SendBox } from './sendbox.js';
import { showStatus } from './status.js';
import { Store } from './store.js';

const $ = (id) => document.getElementById(id);
const labels = { closed: 'Connect', connecting: 'Cancel', open: 'Disconnect', closing: 'Closing…' };

const store = new Store();
const view = new LogView(store, $('log'), $('jump'), showCounts);
const connection = new Connection({ state: showState, message: log, closed });

// The address is filled in but not opened: that runs a program, and a link from
// anywhere can lead to this page with a query of its choice.
$('address').value = pageAddress();
document.title = `${location.pathname} – wspipe console`;

$('connection').addEventListener('submit', (event) => {
  event.preventDefault();
  // Enter in a field opens a connection, but never ends one.
  if (connection.state === 'closed') connect();
  else if (!['address', 'subprotocols'].includes(document.activeElement.id)) connection.disconnect();
});

new SendBox($('send'), $('message'), (text) => {
  if (connection.state !== 'open') {
    note('Not sent: there is no connection.');
    return false;
  }
  connection.send(text);
  view.follow();
  note('');
  return true;
});

let paused = false;
$('pause').addEventListener('click', () => {
  view.paused = paused = !paused;
  $('pause').textContent = paused ? 'Resume' : 'Pause';
});
$('clear').addEventListener('click', () => {
  store.clear();
  view.clear();
});
$('copy').addEventListener('click', async () => {
  const done = await copy(logText(store));
  note(done ? `Copied ${plural(store.kept, 'entry', 'entries')}.` : 'The browser does not let this page copy.');
});

showState();
view.update();

function connect() {
  try {
    const address = parseAddress($('address').value);
    const subprotocols = parseSubprotocols($('subprotocols').value);
    $('address').value = address;
    connection.connect(address, subprotocols);
    note('');
  } catch (error) {
    // Also what the browser throws, such as for ws: from an https: page.
    showStatus({ tone: 'bad', title: 'This cannot be opened', detail: error.message });
  }
}

function closed(end) {
  const meaning = explain(end);
  const { code, reason } = end;
  event(`${end.opened ? 'closed' : `not opened: ${end.address}`}: ${code} ${meaning.name}${reason && `, reason “${reason}”`}`);
  showStatus({ ...meaning, code, reason });
}

function log(entry) {
  store.add(entry);
  view.update();
}

// event notes in the log what happened to the connection.
function event(text) {
  log({ kind: 'event', at: Date.now(), size: 0, text });
}

function showState() {
  const { state } = connection;
  $('connect').textContent = labels[state];
  $('connect').disabled = state === 'closing';
  document.body.dataset.state = state;
  for (const id of ['address', 'subprotocols']) $(id).readOnly = state !== 'closed';
  if (state === 'connecting') showStatus({ tone: 'idle', title: 'Connecting…', detail: `Waiting for ${$('address').value} to answer.` });
  if (state === 'open') opened();
}

function opened() {
  const { subprotocol } = connection;
  event(`connected to ${$('address').value}${subprotocol && `, subprotocol ${subprotocol}`}`);
  showStatus({ tone: 'good', title: 'Connected', name: subprotocol && 'subprotocol', reason: subprotocol, detail: 'Each line the program writes is a message here; each message you send is a line for it to read.' });
  // Whoever pressed Connect goes on by typing; a reader elsewhere stays there.
  if ([$('connect'), $('address'), document.body].includes(document.activeElement)) $('message').focus();
}

function showCounts() {
  const { received, sent } = connection;
  setText('received', `${plural(received.messages, 'message')}, ${bytes(received.bytes)}`);
  setText('sent', `${plural(sent.messages, 'message')}, ${bytes(sent.bytes)}`);
  const parts = [plural(store.kept, 'entry', 'entries')];
  if (store.dropped) parts.push(`${count(store.dropped)} older dropped`);
  if (paused) parts.push(`paused, ${count(view.waiting)} new`);
  setText('kept', parts.join(' · '));
  $('empty').hidden = store.kept > 0;
}

const note = (text) => setText('note', text);

// setText leaves the page alone where nothing changes: this runs every frame.
function setText(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}
