// The bar at the top: where to connect, as what, and how the connection is.

import { pageAddress, parseAddress, withoutToken } from './address.js';
import { elapsed } from './format.js';

const labels = { closed: 'Connect', preparing: 'Cancel', connecting: 'Cancel', open: 'Disconnect', lost: 'Disconnect', closing: 'Stop waiting' };
const states = { preparing: 'Connecting…', connecting: 'Connecting…', open: 'Connected', lost: 'Connection lost', closing: 'Closing…' };
const MEASURE = 10; // seconds between measurements of the round trip

const tones = { open: 'good', lost: 'bad' };

export class Bar {
  #parts;
  #pane = null;
  #timer;
  #on;
  #roundTrip = null; // in milliseconds

  // parts are the elements of the bar. on has connect(), end() and abandon() of the
  // client in use, look() when the user has changed the address, measure() to measure the
  // round trip, reconnect(), drop(), signal(name) and endInput().
  constructor(parts, on) {
    this.#parts = parts;
    this.#on = on;
    const { connection, connect, address, subprotocols, token, resume } = parts;
    // The second click of a double click on Connect would find Disconnect there.
    connect.addEventListener('click', (event) => { if (event.detail > 1) event.preventDefault(); });
    connection.addEventListener('submit', (event) => {
      event.preventDefault();
      const { phase } = this.#pane.state;
      // Enter in a field opens a connection, but never ends one.
      if (phase === 'closed') on.connect();
      else if (phase !== 'preparing' && document.activeElement.tagName !== 'INPUT') phase === 'closing' ? on.abandon() : on.end();
    });
    address.addEventListener('change', () => {
      this.#takeToken();
      on.look();
    });
    token.addEventListener('change', () => on.look());
    for (const field of [address, subprotocols, token, resume]) field.addEventListener('input', () => this.#read());
    parts.reconnect.addEventListener('click', on.reconnect);
    parts.drop.addEventListener('click', on.drop);
    parts.sendSignal.addEventListener('click', () => on.signal(parts.signal.value));
    parts.closeInput.addEventListener('click', on.endInput);
  }

  // use shows the target and the state of a pane.
  use(pane) {
    this.#pane = pane;
    const { address, subprotocols, token, resume } = this.#parts;
    ({ address: address.value, subprotocols: subprotocols.value, token: token.value, resume: resume.checked } = pane.target);
    token.hidden = !token.value;
    this.show();
  }

  // show shows the state of the pane again.
  show() {
    const parts = this.#parts, { state, connection, target, ending } = this.#pane;
    const { phase } = state;
    document.body.dataset.state = phase;
    parts.connect.textContent = labels[phase];
    const [text, tone] = phase === 'closed' && ending ? [ending.title.replace('Program ended', 'Ended'), ending.tone] : [states[phase] ?? 'Not connected', tones[phase] ?? 'idle'];
    if (parts.state.textContent !== text) parts.state.textContent = text;
    parts.pill.dataset.tone = tone;
    parts.pill.title = text;
    parts.reconnect.disabled = !state.live;
    parts.drop.hidden = !(state.live && connection.resumes);
    parts.signals.hidden = phase !== 'open' || !connection.hasControl;
    for (const field of [parts.address, parts.subprotocols, parts.token]) field.readOnly = phase !== 'closed';
    if (parts.address.value !== target.address) parts.address.value = target.address;
    parts.resume.disabled = phase !== 'closed';
    this.#tick();
  }

  // endpoint shows what the server says of the endpoint, and how fast.
  endpoint({ info, roundTrip }) {
    this.#roundTrip = info ? roundTrip : null;
    this.#showRoundTrip();
    const { resumeChoice, subprotocolNames } = this.#parts;
    resumeChoice.hidden = !info?.resume;
    const names = info ? ['none', ...info.subprotocols, 'v1.wspipe', 'v5.channel.k8s.io'] : [];
    subprotocolNames.replaceChildren(...[...new Set(names)].map((value) => Object.assign(document.createElement('option'), { value })));
  }

  // askToken shows the field for the token, and takes the user there.
  askToken() {
    this.#parts.token.hidden = false;
    this.#parts.token.focus();
  }

  #read() {
    const { address, subprotocols, token, resume } = this.#parts;
    Object.assign(this.#pane.target, { address: address.value, subprotocols: subprotocols.value, token: token.value, resume: resume.checked });
  }

  // takeToken moves a token from the address to its own field, which does not show it.
  #takeToken() {
    const { address, token } = this.#parts;
    const found = withoutToken(address.value);
    if (found.token) [address.value, token.value, token.hidden] = [found.address, found.token, false];
    this.#read();
  }

  #showRoundTrip() {
    const ms = this.#pane?.state.phase === 'open' ? this.#roundTrip : null;
    this.#parts.roundTrip.textContent = ms === null ? '' : `rtt ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  }

  #tick() {
    clearTimeout(this.#timer);
    const { state } = this.#pane;
    this.#parts.elapsed.textContent = state.live ? elapsed(Date.now() - state.openedAt) : '';
    this.#showRoundTrip();
    if (!state.live) return;
    if (Math.round((Date.now() - state.openedAt) / 1000) % MEASURE === MEASURE - 1) this.#on.measure();
    this.#timer = setTimeout(() => this.#tick(), 1000 - (Date.now() - state.openedAt) % 1000);
  }
}

// startTarget is what the fields say first: the WebSocket beside the page.
export function startTarget() {
  const { address, token } = withoutToken(pageAddress());
  return { address, subprotocols: '', token, resume: true };
}

// follow makes the browser's address bar show the endpoint, if it is of this server.
export function follow(address, replace) {
  let url;
  try {
    url = new URL(parseAddress(address));
  } catch {
    return;
  }
  if (url.host !== location.host) return;
  const to = url.pathname + url.search, { token } = withoutToken(location.search);
  const target = token ? `${to}${url.search ? '&' : '?'}access_token=${encodeURIComponent(token)}` : to;
  if (to === withoutToken(location.pathname + location.search).address) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', target);
}
