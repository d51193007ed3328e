// What is behind an address of this server: which program, how it takes messages,
// how many clients it has; and which other endpoints the server has.

import { parseSubprotocols } from './address.js';
import { WSPIPE } from './channels.js';
import { bytes } from './format.js';
import { pathTo, question } from './server.js';

// Milliseconds: between questions about the clients, and for an answer.
const INTERVAL = 2000, PATIENCE = 5000;

export class Endpoint {
  #address = '';
  #changed;
  #looked; // a promise: info is that of address
  #list; // a promise of the other endpoints: they are asked for with each new address
  #timer;

  info = null; // what the server says of it, see server/endpoint.go; null of another server's
  roundTrip = null; // of the last question, in milliseconds
  list = null; // {up, endpoints, more, rooms}: all endpoints of this server, or null

  // changed is called when info, list or roundTrip may have changed.
  constructor(changed) {
    this.#changed = changed;
    document.addEventListener('visibilitychange', () => this.look());
    // Its times are those of the network, however busy the page is.
    new PerformanceObserver((entries) => {
      const { requestStart, responseStart } = entries.getEntries().findLast(({ name }) => name.includes('.wspipe/console/endpoint?')) ?? {};
      if (!requestStart) return;
      this.roundTrip = responseStart - requestStart;
      this.#changed();
    }).observe({ type: 'resource' });
  }

  // show asks what is behind address, a WebSocket URL.
  async show(address) {
    if (address !== this.#address) {
      this.#address = address;
      this.#list = ask(new URL(address), 'console/endpoints');
      this.#looked = this.look();
    }
    await this.#looked;
  }

  // look asks again: the server may have been restarted with other flags.
  async look() {
    clearTimeout(this.#timer);
    if (document.hidden || !this.#address) return;
    const address = this.#address, url = new URL(address);
    const [answer, list] = await Promise.all([ask(url, 'console/endpoint', { path: pathTo(url) + url.search }), this.#list]);
    if (address !== this.#address) return;
    this.info = answer?.endpoint ?? null;
    this.list = list;
    this.#changed();
    if (this.info?.share) this.#timer = setTimeout(() => this.look(), INTERVAL);
  }
}

// ask returns this server's answer to a question about url, or null if that is not its own.
async function ask(url, name, query) {
  if (url.host !== location.host) return null;
  try {
    const answer = await fetch(question(name, query), { signal: AbortSignal.timeout(PATIENCE) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the server is not there; the connection will show that
  }
}

// offer returns the subprotocols to offer, where the user typed these: offered, and
// framing as Connection.open has it.
export function offer(typed, info, view) {
  const names = parseSubprotocols(typed);
  if (names.length) return { offered: names[0] === 'none' ? [] : names };
  return automatic(info, view);
}

// automatic is for a user who names no subprotocol: v1.wspipe,
// whose messages then become those of a client without it (framing). With --share=mux
// they cannot: there v1.wspipe splits messages of several lines, both ways, and does not
// say which were binary.
function automatic(info, view) {
  const splits = ['lines', 'nul', 'bytes', 'length', 'lsp'].includes(info?.framing);
  if (info && info.share !== 'mux' && (splits || info.pty)) return { offered: [WSPIPE], framing: info.pty ? 'bytes' : info.framing };
  return info && view === 'terminal' ? { offered: [WSPIPE] } : { offered: [] };
}

// facts returns pairs of a name and a value about the endpoint of info.
export function facts(info) {
  if (!info) return [];
  const list = [['program', info.program], ['messages', info.pty ? 'of a terminal' : info.framing]];
  if (info.share) list.push(['shared', info.share], ['connected', String(info.clients)]);
  if (info.readonly) list.push(['input', 'read only']);
  if (info.resume) list.push(['session kept', `${info.resume / 1000} s`]);
  if (info.subprotocols.length) list.push(['subprotocols', info.subprotocols.join(', ')]);
  if (info.maxMessage) list.push(['longest message', bytes(info.maxMessage)]);
  return list;
}

// messagesOf says what a message is over a connection to the endpoint of info.
export function messagesOf({ hasChannels }, info) {
  const input = info?.readonly ? ' It is read-only: the server discards input.' : '';
  if (hasChannels) return `Each message carries bytes of one of the program’s streams, on its own channel.${input || ' A line that you send gets a newline.'}`;
  if (info?.pty) return `The program has a terminal: messages are what it writes to that, byte by byte.${input || ' A text that you send is typed, and Enter after it.'}`;
  if (info?.share === 'mux') return 'The program reads a JSON event for each message that you send, and names the recipients of each message that it writes.';
  if (info && info.framing !== 'lines') return `Messages are framed as --framing=${info.framing} says.${input}`;
  return `Each line that the program writes is a message here.${input || ' Each message that you send is a line that it reads.'}`;
}

// guide says in an empty log of pane what Connect does, or what will appear.
export function guide({ info, list }, { state, connection, info: connected }) {
  if (state.phase !== 'closed') return messagesOf(connection, connected);
  if (!info) return list?.endpoints.length ? 'There is no endpoint at this path. Choose one of the list.' : 'Press Connect to open the connection.';
  if (info.share) return 'All clients share one child of the program. Press Connect to join them.';
  return `Each connection starts ${info.resume ? 'a child of the program, which outlives a lost network' : 'its own child of the program'}. Press Connect to start one.`;
}
