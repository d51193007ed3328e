// The developer console: joins the connection, the endpoint, the log, the send
// box and the terminal. Nothing that comes from a server or an address is ever
// parsed as HTML.

import { WSPIPE } from './channels.js';
import { pageAddress, parseAddress, parseSubprotocols, shown, withSize } from './address.js';
import { explain } from './closing.js';
import { Connection } from './connection.js';
import { Endpoint, howItTalks, whatConnects } from './endpoint.js';
import { LogPanel } from './log/panel.js';
import { whyRefused } from './refusal.js';
import { SendPanel } from './send/panel.js';
import { showStatus } from './status.js';
import { Tabs } from './tabs.js';
import { Traffic } from './traffic.js';
import { forget, recall, remember } from './visit.js';

const $ = (id) => document.getElementById(id);
const labels = { closed: 'Connect', connecting: 'Cancel', open: 'Disconnect', lost: 'Disconnect', closing: 'Closing…' };

const connection = new Connection({ state: showState, message, control, lost, closed });
const endpoint = new Endpoint(showEndpoint);
const log = new LogPanel(note);
const sending = new SendPanel(connection, send, note, endpoint);
const tabs = new Tabs(document.querySelector('[role="tablist"]'), showView);
const traffic = new Traffic(connection);

let terminal = null; // the TerminalPanel, or a promise of it, once it has been shown
let began = 0; // the number of the connection's first entry in the log
let chosen = false; // the user has chosen a view
let opening = false; // Connect was pressed, and is not done
let again = false; // connect when this connection has ended
let ended = 0; // how many connections have
let before = 'closed'; // the connection's state before this one

start();

function start() {
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
  $('address').addEventListener('change', look);
  $('reconnect').addEventListener('click', reconnect);
  $('send-signal').addEventListener('click', () => signal($('signal').value));
  $('close-input').addEventListener('click', () => {
    connection.endInput();
    event('ended the input');
  });
  document.querySelector('[role="tablist"]').addEventListener('click', () => { chosen = true; });
  addEventListener('pagehide', () => {
    if (!connection.resumes || !['open', 'lost'].includes(connection.state)) return;
    remember({ address: $('address').value, typed: $('subprotocols').value, offered: connection.offered, view: tabs.selected });
  });
  showState();
  look().then(resumeVisit);
}

// resumeVisit goes on with the session that this tab had before it was reloaded.
async function resumeVisit() {
  const visit = recall();
  forget();
  if (!visit) return;
  $('address').value = visit.address;
  $('subprotocols').value = visit.typed;
  await look();
  if (!endpoint.info?.resume) return;
  if (visit.view !== tabs.selected) tabs.select(visit.view);
  connect(visit.offered);
}

async function look() {
  try {
    await endpoint.show(parseAddress($('address').value));
  } catch {
    // Connect says what is wrong with the address.
  }
}

// connect offers these subprotocols, or those that the user has typed.
async function connect(offered) {
  if (opening) return;
  opening = true;
  try {
    const address = parseAddress($('address').value);
    let subprotocols = offered ?? parseSubprotocols($('subprotocols').value);
    $('address').value = address;
    let url = address;
    await endpoint.show(address);
    if (tabs.selected === 'terminal-panel' && endpoint.info) {
      url = withSize(address, (await loadTerminal()).size);
      if (!offered && !subprotocols.length) subprotocols = [WSPIPE];
    }
    connection.open(url, { subprotocols, resume: Boolean(endpoint.info?.resume) && $('resume').checked });
    note('');
  } catch (error) {
    // Also what the browser throws, such as for ws: from an https: page.
    showStatus({ tone: 'bad', title: 'This cannot be opened', detail: error.message });
  }
  opening = false;
}

function reconnect() {
  if (connection.resumes) return connection.reconnect();
  again = true;
  connection.disconnect();
}

async function closed(end) {
  sending.ended();
  const number = ++ended;
  const meaning = explain({ ...end, share: endpoint.info?.share });
  const { code, reason } = end;
  event(`${end.opened ? 'closed' : `not opened: ${shown(end.address)}`}: ${code} ${meaning.name}${reason && `, reason “${reason}”`}`);
  showStatus({ ...meaning, code, reason });
  settled()?.closed(meaning.title);
  if (again) {
    again = false;
    connect();
  } else if (!end.opened && !end.byUser) {
    const why = await whyRefused(end);
    if (connection.state === 'closed' && ended === number) showStatus({ code, ...why });
  }
}

function lost({ attempt, delay, code }) {
  sending.ended();
  event(`lost: ${code}; attempt ${attempt} to go on in ${(delay / 1000).toFixed(1)} s`);
  showStatus({ tone: 'bad', title: 'Connection lost', code, detail: 'The program runs on, and the page goes on where it was as soon as there is a connection again. What you send meanwhile waits.' });
}

function message(entry) {
  traffic.update();
  log.add(entry);
  settled()?.message(entry);
}

function control({ type, pid, code, signal }) {
  if (type === 'hello') event(`the child’s process ID is ${pid}`);
  if (type === 'exit') event(signal ? `the child ended by signal ${signal}` : `the child ended with exit status ${code}`);
}

// event notes in the log what happened to the connection.
function event(text) {
  log.add({ kind: 'event', at: Date.now(), size: 0, data: text, channel: '' });
}

// send takes a string or bytes, and reports whether they went.
function send(data) {
  if (!['open', 'lost'].includes(connection.state)) {
    note('Not sent: there is no connection.');
    return false;
  }
  // A line of the child's input ends somewhere: with channels nobody adds that.
  if (connection.hasChannels && typeof data === 'string') data += '\n';
  try {
    connection.send(data);
  } catch (error) {
    note(`Not sent: ${error.message}`);
    return false;
  }
  log.follow();
  note('');
  return true;
}

function signal(name) {
  connection.control({ type: 'signal', signal: name });
  event(`sent signal ${name}`);
}

function showState() {
  traffic.update();
  const { state } = connection;
  $('connect').textContent = labels[state];
  $('connect').disabled = state === 'closing';
  $('reconnect').hidden = !['open', 'lost'].includes(state);
  $('signals').hidden = state !== 'open' || !connection.hasControl;
  document.body.dataset.state = state;
  for (const id of ['address', 'subprotocols']) $(id).readOnly = state !== 'closed';
  $('resume').disabled = state !== 'closed';
  if (state === 'connecting') {
    began = log.next;
    showStatus({ tone: 'idle', title: 'Connecting…', detail: `Waiting for ${shown($('address').value)} to answer.` });
  }
  if (state === 'open') opened(before === 'lost');
  before = state;
}

function opened(resumed) {
  const { subprotocol } = connection;
  event(`connected ${resumed ? 'again ' : ''}to ${shown($('address').value)}${subprotocol && `, subprotocol ${subprotocol}`}`);
  showStatus({ tone: 'good', title: 'Connected', name: subprotocol && 'subprotocol', reason: subprotocol, detail: howItTalks(connection, endpoint.info) });
  endpoint.look();
  const view = settled();
  if (resumed) return view?.resumed();
  view?.opened();
  // Whoever pressed Connect goes on by typing; a reader elsewhere stays there.
  if ([$('connect'), $('address'), document.body].includes(document.activeElement)) {
    if (tabs.selected === 'messages') $('message').focus();
    else view?.focus();
  }
}

function showEndpoint() {
  const { info, listed } = endpoint;
  if (connection.state === 'closed' && !ended && (info || listed)) showStatus({ tone: 'idle', title: info ? 'Not connected' : 'No endpoint here', detail: whatConnects(info) });
  $('resume-choice').hidden = !info?.resume;
  if (info?.pty && !chosen && connection.state === 'closed' && tabs.selected === 'messages') tabs.select('terminal-panel');
}

async function showView(id) {
  if (id !== 'terminal-panel') return;
  try {
    (await loadTerminal()).shown();
  } catch (error) {
    note(`The terminal cannot be loaded: ${error.message}`);
  }
}

// loadTerminal loads the terminal's code, once it is wanted, and shows in it
// what has come of this connection.
async function loadTerminal() {
  terminal ??= import('./terminal/panel.js').then(({ TerminalPanel }) => {
    terminal = new TerminalPanel(connection, note, endpoint);
    if (connection.state !== 'closed') {
      terminal.opened();
      terminal.replay(log.since(began));
    }
    return terminal;
  }).catch((error) => {
    terminal = null; // the next try may be better
    throw error;
  });
  return terminal;
}

// settled is the terminal if it has been loaded.
const settled = () => terminal instanceof Promise ? null : terminal;

function note(text) {
  if ($('note').textContent !== text) $('note').textContent = text;
}
