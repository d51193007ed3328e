// One client: its connection, with the log and the terminal that show it.

import { parseAddress, shown, withSize, withToken } from './address.js';
import { Connection } from './connection.js';
import { explain } from './end.js';
import { offer } from './endpoint.js';
import { event } from './log/entry.js';
import { LogPanel } from './log/panel.js';
import { PaneHead } from './pane-head.js';
import { Replay } from './replay.js';
import { whyRefused } from './refusal.js';
import { State } from './state.js';

const TAIL = 8; // lines of stderr in the card of an end

export class Pane {
  #page;
  #parts;
  #terminal = null; // the TerminalPanel, or a promise of it, once it has been shown
  #began = 0; // the number of the connection's first entry in the log
  #reconnecting = false; // connect when this connection has ended
  #stderr = []; // its last lines
  #card = null; // the entry of the last end
  #replay = null; // counts what a resumed session sends again

  head; // a PaneHead
  watchers = new Set(); // functions that are called with each entry, and with none after a transition
  onOpen = null; // called once when the connection has been opened
  info = null; // of the endpoint that this client is connected to, see endpoint.js
  target; // what the fields of the bar say: {address, subprotocols, token, resume}

  // page has note(text, action), changed(pane, transition), endpoint (an Endpoint) and
  // settings (of all logs); parts are the elements of this pane.
  constructor(page, parts, { number, target }) {
    this.#page = page;
    this.#parts = parts;
    this.head = new PaneHead(this, parts);
    this.number = number;
    this.target = target;
    this.state = new State((transition) => this.#changed(transition));
    this.connection = new Connection(this.state, {
      message: (entry) => this.#message(entry),
      output: (entry) => this.terminal?.message(entry),
      received: () => this.#countReplay(),
      broken: (framing) => this.#event(`the output does not follow --framing=${framing}: a client without channels is disconnected with 1011`),
      control: (message) => this.#control(message),
      lost: (detail) => this.#lost(detail),
      closed: (end) => this.#closed(end),
    });
    this.log = new LogPanel(parts, page.settings, {
      again: () => this.connect(), token: (token) => page.useToken(this, token),
      inspect: (...entries) => page.side.inspect(...entries),
      hold: () => { if (!this.info?.share) this.connection.hold('log'); },
      release: () => this.connection.release('log'),
      shown: () => {
        this.head.count();
        page.changed(this, 'log');
      },
    });
  }

  // terminal is the TerminalPanel if it has been loaded.
  get terminal() { return this.#terminal instanceof Promise ? null : this.#terminal; }

  // connect opens a connection to the target, or goes on with visit, the session
  // that this page had before a reload.
  async connect(visit) {
    if (this.state.phase !== 'closed') return;
    this.state.prepare();
    try {
      const address = this.target.address = parseAddress(this.target.address);
      await this.#page.endpoint.show(withToken(address, this.target.token));
      await this.#open(address, visit);
    } catch (error) {
      // Also what the browser throws, such as for ws: from an https: page.
      if (this.state.phase === 'preparing') this.state.fail();
      this.#end('not opened: the address', { tone: 'bad', title: 'This cannot be opened', detail: error.message });
    }
  }

  async #open(address, visit) {
    this.info = this.#page.endpoint.info;
    let url = withToken(address, this.target.token);
    if ((this.state.view === 'terminal' || this.state.split) && this.info) url = withSize(url, (await this.loadTerminal()).size);
    url = await this.#page.side.traced(this, url);
    const how = visit ?? offer(this.target.subprotocols, this.info, this.state.view);
    const resume = Boolean(this.info?.resume) && this.target.resume;
    this.#stderr = [];
    if (this.#card) this.log.update(this.#card, (card) => { card.again = card.token = false; });
    this.log.begin();
    if (this.state.runs) this.log.add({ ...event(`run ${this.state.runs + 1}`), divider: true });
    this.#began = this.log.next;
    this.#replay = visit ? new Replay(visit.streamBytes ?? 0) : null;
    this.connection.open(url, { subprotocols: how.offered, framing: how.framing, lineEnd: this.info?.pty ? '\r' : '', resume, key: this.number > 1 ? ` ${this.number}` : '' });
    this.#page.note('');
  }

  get name() { return `client ${this.number}`; }
  get panels() { return { messages: this.#parts.messages, terminal: this.#parts.terminalPanel }; } // of its views

  reconnect() {
    this.#reconnecting = true;
    this.connection.disconnect();
  }

  // send reports whether it has sent a message.
  send(data) {
    if (!this.state.live) {
      this.#page.note('Not sent: there is no connection.', this.state.phase === 'closed' && { label: 'Connect and send', run: () => this.#page.connectAndSend() });
      return false;
    }
    try {
      if (this.info?.readonly) throw new Error('this endpoint is read-only (--readonly), so the server discards input.');
      this.connection.send(data);
    } catch (error) {
      this.#page.note(`Not sent: ${error.message}`);
      return false;
    }
    this.log.follow();
    this.#page.note('');
    return true;
  }

  signal(name) {
    this.connection.control({ type: 'signal', signal: name });
    this.#event(`sent signal ${name}`);
  }

  endInput() {
    this.connection.endInput();
    this.#event('ended the input');
  }
  // show shows 'messages' or 'terminal'.
  async show(view, byUser) {
    const { messages, terminalPanel, pane } = this.#parts, { split } = this.state;
    this.state.show(view, byUser);
    messages.hidden = view !== 'messages' && !split;
    terminalPanel.hidden = view !== 'terminal' && !split;
    pane.classList.toggle('split', split);
    if (terminalPanel.hidden) return;
    try {
      (await this.loadTerminal()).shown();
      this.#page.changed(this, 'terminal');
    } catch (error) {
      this.#page.note(`The terminal cannot be loaded: ${error.message}`);
    }
  }

  // divide shows both views, or again one.
  divide() {
    this.state.divide(!this.state.split);
    this.show(this.state.view, true);
  }

  // loadTerminal loads the terminal's code when it is first needed, and shows in it
  // what this connection has received.
  async loadTerminal() {
    this.#terminal ??= import('./terminal/panel.js').then(({ TerminalPanel }) => {
      const terminal = this.#terminal = new TerminalPanel(this, this.#parts, this.#page);
      if (!['closed', 'preparing'].includes(this.state.phase)) {
        terminal.opened();
        terminal.replay(this.log.since(this.#began), this.connection.partial);
      }
      return terminal;
    }).catch((error) => {
      this.#terminal = null; // the next attempt may succeed
      throw error;
    });
    return this.#terminal;
  }

  focus() { (this.state.view === 'terminal' ? this.terminal : this.log)?.focus(); }

  #changed(transition) {
    if (transition === 'open') this.#opened();
    if (transition === 'resume') this.#resumed();
    for (const watch of this.watchers) watch();
    this.#page.changed(this, transition);
  }

  #opened() {
    this.#event(this.#connected());
    this.terminal?.opened();
    this.#countReplay();
  }

  #resumed() {
    this.#event(this.#connected(' again'));
    this.connection.resumed();
    this.terminal?.resumed();
  }

  #connected(again = '') {
    const { subprotocol } = this.connection;
    return `connected${again} to ${shown(this.target.address)}${subprotocol && `, subprotocol ${subprotocol}`}`;
  }

  #message(entry) {
    if (entry.channel === 'stderr' && typeof entry.data === 'string') this.#stderr = [...this.#stderr, entry.data].slice(-TAIL);
    this.log.add(entry);
    if (entry.kind === 'in') this.#replay?.add();
    for (const watch of this.watchers) watch(entry);
    this.#page.changed(this, 'message');
  }

  #countReplay() {
    if (!this.#replay?.isComplete(this.connection.streamBytes)) return;
    this.#event(`resumed, ${this.#replay.messages} replayed`);
    this.#replay = null;
  }

  #control({ type, pid, code, signal }) {
    if (this.connection.framing) return; // the foot has the process ID, the card the exit status
    if (type === 'hello') this.#event(`the child’s process ID is ${pid}`);
    else if (type === 'exit') this.#event(`the child ended ${signal ? `by signal ${signal}` : `with exit status ${code}`}`);
  }

  #lost({ attempt, delay, code }) {
    this.#event(`lost: ${code}; attempt ${attempt} to resume in ${(delay / 1000).toFixed(1)} s`);
  }

  async #closed(end) {
    const meaning = explain({ ...end, share: this.info?.share });
    const { code, reason } = end, text = `${end.opened ? 'closed' : `not opened: ${shown(this.target.address)}`}: ${code} ${meaning.name}${reason && `, reason “${reason}”`}`;
    const entry = this.#end(text, { ...meaning, code, reason });
    this.terminal?.closed(meaning.title);
    if (this.#reconnecting) {
      this.#reconnecting = false;
      this.connect();
    } else if (!end.opened && !end.byUser) {
      const why = await whyRefused(end);
      this.log.update(entry, (card) => Object.assign(card, why, { token: why.status === 401 }));
      if (why.status === 401 && !this.log.askToken()) this.#page.askToken(this);
      this.#page.changed(this, 'refusal');
    }
  }

  // end adds the card of an end to the log.
  #end(text, card) {
    const entry = { ...event(text), card: { ...card, stderr: this.#stderr, again: true } };
    this.#card = entry;
    this.log.add(entry);
    this.#page.changed(this, 'card');
    return entry;
  }

  // ending is what the card of the last end says, or null.
  get ending() { return this.#card?.card ?? null; }
  #event(text) { this.log.add(event(text)); }
}
