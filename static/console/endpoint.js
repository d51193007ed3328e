// What is behind an address of this server: which program, how it talks, who
// else is there; and which other endpoints the server has.

import { bytes, plural } from './format.js';
import { locate, pathTo, question } from './server.js';

const $ = (id) => document.getElementById(id);
// Milliseconds: between looks at who is watching, and for an answer.
const INTERVAL = 2000, PATIENCE = 5000;

export class Endpoint {
  #address = '';
  #changed;
  #looked; // a promise: info is that of address
  #list; // a promise of the other endpoints: they are asked for with each new address
  #timer;

  info = null; // what the server says of it, see server/endpoint.go; null of another server's
  listed = false; // there are endpoints to choose from

  // changed is called when info may have changed.
  constructor(changed) {
    this.#changed = changed;
    document.addEventListener('visibilitychange', () => this.look());
  }

  // show shows what is behind address, a WebSocket URL.
  async show(address) {
    if (address !== this.#address) {
      this.#address = address;
      this.#list = ask(new URL(address), 'console/endpoints');
      this.#looked = this.look();
    }
    await this.#looked;
  }

  // look asks again: the server may have been started anew, with other flags.
  async look() {
    clearTimeout(this.#timer);
    if (document.hidden || !this.#address) return;
    const address = this.#address, url = new URL(address);
    const [answer, list] = await Promise.all([ask(url, 'console/endpoint', { path: pathTo(url) }), this.#list]);
    if (address !== this.#address) return;
    this.info = answer?.endpoint ?? null;
    this.#render(list);
    this.#changed();
    if (this.info?.share) this.#timer = setTimeout(() => this.look(), INTERVAL);
  }

  #render(list) {
    fill($('facts'), facts(this.info).map(([name, value]) => item(name, value)));
    if (!list) return;
    const { endpoints, more, up } = list;
    this.listed = endpoints.length > 0;
    $('endpoints').hidden = !this.listed;
    $('endpoints-title').textContent = `${plural(endpoints.length, 'endpoint')}${more ? ' and more' : ''}`;
    if (this.listed && !this.info) $('endpoints').open = true;
    fill($('endpoint-list'), endpoints.map((path) => link(up, path, path === this.info?.path)));
  }
}

// ask returns this server's answer to a question about url, or null if that is not its own.
async function ask(url, name, query) {
  if (url.host !== location.host) return null;
  try {
    const answer = await fetch(question(name, query), { signal: AbortSignal.timeout(PATIENCE) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the server has gone; the connection will tell
  }
}

function facts(e) {
  if (!e) return [];
  const list = [['program', e.program], ['messages', e.pty ? 'of a terminal' : e.framing]];
  if (e.share) list.push(['shared', e.share], ['connected', String(e.clients)]);
  if (e.readonly) list.push(['input', 'read only']);
  if (e.resume) list.push(['session kept', `${e.resume / 1000} s`]);
  if (e.subprotocols.length) list.push(['subprotocols', e.subprotocols.join(', ')]);
  if (e.maxMessage) list.push(['longest message', bytes(e.maxMessage)]);
  return list;
}

function item(name, value) {
  const li = document.createElement('li'), b = document.createElement('b');
  b.textContent = value;
  li.append(`${name} `, b);
  return li;
}

// link is to the page of an endpoint, whose path is escaped as an address is. The
// page needs the token that this one came by.
function link(up, path, isThis) {
  const li = document.createElement('li'), a = document.createElement('a');
  a.href = locate(up, path) + token();
  try {
    a.textContent = decodeURIComponent(path);
  } catch {
    a.textContent = path; // the name is not UTF-8
  }
  if (isThis) a.ariaCurrent = 'page';
  li.append(a);
  return li;
}

function token() {
  const found = location.search.match(/[?&](access_token=[^&]*)/);
  return found ? `?${found[1]}` : '';
}

// fill replaces children only if they differ: it runs every few seconds, and
// whoever is reading them should not lose the place.
function fill(list, items) {
  const same = list.childElementCount === items.length && items.every((item, i) => item.isEqualNode(list.children[i]));
  if (!same) list.replaceChildren(...items);
}

// howItTalks says what messages are over a connection to the endpoint of info.
export function howItTalks({ hasChannels }, info) {
  if (hasChannels) return 'Each message carries bytes of one of the program’s streams, on a channel of its own; a line that you send gets a newline.';
  if (info?.pty) return 'The program has a terminal: messages are what it writes there, to the byte, and what is typed.';
  if (info && info.framing !== 'lines') return `Messages are cut as --framing=${info.framing} says.`;
  return 'Each line the program writes is a message here; each message you send is a line for it to read.';
}

// whatConnects says what Connect does there.
export function whatConnects(info) {
  if (!info) return 'Choose one of those above.';
  if (info.share) return 'All clients share one child of the program. Press Connect to join them.';
  return `Each connection starts ${info.resume ? 'a child of the program, which outlives a lost network' : 'its own child of the program'}. Press Connect to start one.`;
}
