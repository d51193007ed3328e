// The trace of one client's connections: its server decodes them, as browsers do not
// show frames to pages, and sends each line of the handshake and each frame as JSON.

import { Store } from '../log/store.js';
import { whyRefused } from '../refusal.js';
import { question } from '../server.js';

const PATIENCE = 5000; // milliseconds for the stream to open
const UNSEEN = 1000; // lines that are received while nobody looks, before the trace stops

export class Trace {
  #changed;
  #id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  #stream = null; // a WebSocket
  #unseen = 0;
  #wanted = false; // the last connection is to be traced

  store = new Store(); // of entries {data, size}, where data is a line in JSON
  problem = ''; // why there is no trace

  // changed(what) is called after 'line', and 'state'.
  constructor(changed) {
    this.#changed = changed;
  }

  // traced returns url, of this page's server, so that its connection is traced.
  async traced(url, token) {
    this.#wanted = true;
    await this.#open(url, token);
    const traced = new URL(url);
    if (this.covers) traced.search += `${traced.search ? '&' : '?'}wspipe_trace=${this.#id}`;
    return traced.href;
  }

  // covers: the last connection is traced.
  get covers() { return this.#wanted && this.#stream !== null; }

  // lost opens the stream again, as the network may have failed for both.
  lost(url, token) {
    if (this.#wanted) this.#open(url, token);
  }

  // seen says that the user has seen all lines so far.
  seen() { this.#unseen = 0; }

  close() {
    const stream = this.#stream;
    this.#stream = null;
    this.#wanted = false;
    stream?.close();
  }

  // note adds a line that no server has sent.
  note(text) { this.#add(JSON.stringify({ dir: '=', text })); }

  // open resolves when there is a stream, or a problem: the one that url has, as the
  // server admits both by the same rules.
  async #open(url, token) {
    if (this.#stream) return;
    const query = { wspipe_trace: this.#id, ...token && { access_token: token } };
    const stream = new WebSocket(question('trace', query).replace(/^http/, 'ws'));
    const opened = await new Promise((resolve) => {
      stream.onopen = () => resolve(true);
      stream.onclose = () => resolve(false);
      setTimeout(resolve, PATIENCE, false);
    });
    stream.onclose = null;
    if (opened) return this.#opened(stream);
    stream.close();
    const why = await whyRefused({ address: url, subprotocols: [], origin: location.origin });
    this.problem = why.status ? `The server does not trace this: ${why.title}. ${why.detail}` : 'The server has not opened the trace: it is too busy, or has too many of them. Connect again later.';
    this.#changed('state');
  }

  #opened(stream) {
    this.#stream = stream;
    this.problem = '';
    this.#unseen = 0;
    stream.onmessage = ({ data }) => this.#add(data);
    stream.onclose = () => {
      if (stream !== this.#stream) return;
      this.#stream = null;
      this.note('the server has ended the trace');
      this.#changed('state');
    };
  }

  #add(data) {
    this.store.add({ data, size: data.length });
    this.#changed('line');
    // Wire costs nothing while it is not shown, but a look at something else loses nothing.
    if (++this.#unseen <= UNSEEN || !this.#stream) return;
    this.#unseen = 0;
    this.close();
    this.note('the trace was stopped, as Wire was not shown');
  }
}
