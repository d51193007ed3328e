// The view of a terminal: what the program writes is drawn, what is typed goes to
// it. A program that has no terminal gets lines, edited here.

import './styles.js';
import { Clipboard } from './clipboard.js';
import { Flow } from './flow.js';
import { LineEditor } from './lines.js';
import { openScreen } from './screen.js';
import { Search } from './search.js';
import { TerminalTools } from './tools.js';

const encoder = new TextEncoder();
const LONGEST = 32 << 10; // bytes of a paste in one message, well below any --maxframesize
const RESET = '\x1bc'; // RIS
const LEAVE_ALTERNATE = '\x1b[?1049l';
// Resets the attributes and modes that a program leaves which was killed.
const LEFT_BEHIND = '\x1b[?1000;1002;1003;1004;1006;2004l\x1b[!p\x1b[?25l';

export class TerminalPanel {
  #pane;
  #page;
  #tab;
  #tools;
  #terminal;
  #fit;
  #flow;
  #editor;
  #fitLater = false;
  #bytes = false; // binary messages came, so the program may have a terminal
  #replaying = false; // what is drawn came long ago, and gets no replies

  // pane is the client that the terminal shows, parts are its elements, and page has
  // note(text), look, and parts, the elements of the page.
  constructor(pane, parts, page) {
    this.#pane = pane;
    this.#page = page;
    this.#tab = page.parts.terminalTab;
    const { terminal, fit } = openScreen(parts.terminal, page.look, () => this.#resize());
    this.#terminal = terminal;
    this.#fit = fit;
    this.#flow = new Flow(terminal, pane.connection, () => this.#idle());
    this.#editor = new LineEditor(terminal, this.#flow, { line: (text) => this.#sendLine(text), interrupt: () => this.#interrupt(), end: () => this.#end() });
    this.#tools = page.terminalTools ??= new TerminalTools(page.parts, page);
    this.clipboard = new Clipboard(terminal, page.note);
    this.search = new Search(terminal, (text) => this.#tools.found(this, text));
    this.#tools.apply(this);
    terminal.attachCustomKeyEventHandler((event) => event.type !== 'keydown' || !(this.#leaves(event) || this.#again(event) || this.clipboard.key(event)));
    terminal.onData((data) => this.#typed(data));
    terminal.onBinary((data) => this.#replaying || this.#type(Uint8Array.from(data, (c) => c.charCodeAt(0))));
    terminal.onResize(() => this.#resized());
    terminal.onBell(() => this.#flash());
    terminal.onSelectionChange(() => { if (this.#tools.copyOnSelect && terminal.hasSelection()) this.clipboard.copySelected(); });
  }

  // size is {cols, rows}.
  get size() {
    const { cols, rows } = this.#terminal;
    return { cols, rows };
  }

  set screenReader(on) {
    this.#terminal.options.screenReaderMode = on;
  }

  clear() {
    this.#terminal.clear();
    this.#terminal.focus();
  }

  // opened begins with an empty screen: it is a new connection.
  opened() {
    this.#bytes = this.#replaying = false;
    this.#editor.clear();
    this.#flow.restart();
    this.#flow.write(RESET);
    this.#greeted();
  }

  // resumed: the connection was made again, and knows nothing of the one before.
  resumed() {
    this.#sendSize();
  }

  // message takes any entry of Connection, and uses what the program wrote.
  message({ kind, channel, data }) {
    if (kind !== 'in') return;
    if (channel === 'control') this.#greeted();
    if (!['', 'stdout', 'stderr'].includes(channel)) return;
    if (!channel && typeof data !== 'string' && !this.#bytes) {
      this.#bytes = true;
      this.#greeted();
    }
    this.#editor.hide();
    this.#flow.write(typeof data === 'string' ? `${data}\r\n` : new Uint8Array(data));
  }

  // replay takes entries that came before the terminal was there, and what came of
  // a line that is not complete.
  replay(entries, partial) {
    this.#replaying = true;
    for (const entry of entries) this.message(entry);
    if (partial) this.#flow.write(partial);
    this.#flow.drawn(() => { this.#replaying = false; });
  }

  closed(title) {
    this.#editor.hide();
    this.#editor.clear();
    // Only what has been drawn shows which screen is in use: on the normal one, leaving
    // the alternate one would move the cursor.
    this.#flow.drawn(() => {
      this.#replaying = false;
      const { active } = this.#terminal.buffer;
      const leave = active.type === 'alternate' ? LEAVE_ALTERNATE : '';
      this.#flow.write(`${leave}${LEFT_BEHIND}${leave || active.cursorX ? '\r\n' : ''}\x1b[2m[${title}]\x1b[0m\r\n`);
    });
  }

  shown() {
    this.#resize();
    this.#tools.show(this);
  }

  focus() {
    this.#terminal.focus();
  }

  // hasTerminal: the kernel echoes and edits lines, and turns \n into \r\n.
  get #hasTerminal() {
    return this.#connection.hello?.pty ?? this.#pane.info?.pty ?? this.#bytes;
  }

  // greeted is when more may be known of the program.
  #greeted() {
    this.#terminal.options.convertEol = !this.#hasTerminal;
    this.#sendSize();
  }

  get #connection() { return this.#pane.connection; }

  // press types what of returns for the terminal's modes.
  press(of) {
    this.#terminal.input(of(this.#terminal.modes), true);
  }

  #typed(data) {
    if (this.#replaying || !this.#pane.state.live) return;
    data = this.#tools.keys.modified(data);
    if (this.#hasTerminal) this.#type(encoder.encode(data));
    else this.#editor.type(data);
  }

  #type(data) {
    this.#trying(() => {
      for (let at = 0; at < data.length; at += LONGEST) this.#connection.type(data.subarray(at, at + LONGEST));
    });
  }

  #sendLine(text) {
    this.#trying(() => this.#connection.send(text));
  }

  #trying(send) {
    if (this.#pane.info?.readonly) return this.#page.note('Not sent: this endpoint is read-only (--readonly), so the server discards input.');
    try {
      send();
    } catch (error) {
      this.#page.note(`Not sent: ${error.message}`);
    }
  }

  #interrupt() {
    if (this.#connection.hasControl) this.#connection.control({ type: 'signal', signal: 'INT' });
    else this.#page.note('Not interrupted: only the subprotocol v1.wspipe carries signals.');
  }

  #end() {
    if (this.#connection.hasControl) this.#connection.endInput();
    else this.#page.note('The input goes on: only the subprotocol v1.wspipe carries its end.');
  }

  // resize makes way for xterm.js, which moves lines about, if a line is being edited.
  #resize() {
    this.#fitLater = this.#editor.hide();
    if (!this.#fitLater) this.#fit();
  }

  #idle() {
    if (this.#fitLater) this.#fit();
    this.#fitLater = false;
    this.#editor.show();
  }

  #resized() {
    this.#showSize();
    this.#sendSize();
  }

  #showSize() {
    this.#tools.show(this);
  }

  #sendSize() {
    if (this.#hasTerminal) this.#connection.control({ type: 'resize', ...this.size });
  }

  // leaves reports whether a key is the one that leaves the terminal, as Tab is the
  // program's.
  #leaves({ key, shiftKey, ctrlKey, altKey, metaKey }) {
    if (key !== 'F6' || !shiftKey || ctrlKey || altKey || metaKey) return false;
    this.#tab.focus();
    return true;
  }

  // again reports whether a key runs an ended program again.
  #again({ key, shiftKey, ctrlKey, altKey, metaKey }) {
    if (key !== 'Enter' || shiftKey || ctrlKey || altKey || metaKey || this.#pane.state.phase !== 'closed' || !this.#pane.state.runs) return false;
    this.#pane.connect();
    return true;
  }

  // flash is what a bell does: it makes no sound.
  #flash() {
    this.#tab.classList.add('bell');
    setTimeout(() => this.#tab.classList.remove('bell'), 300);
  }
}
