// The view of a terminal: what the program writes is drawn, what is typed goes to
// it. A program that has no terminal gets lines, edited here.

import './styles.js';
import { Clipboard } from './clipboard.js';
import { Flow } from './flow.js';
import { LineEditor } from './lines.js';
import { openScreen } from './screen.js';
import { Search } from './search.js';
import { fontSize, setUp } from './settings.js';

const $ = (id) => document.getElementById(id);
const encoder = new TextEncoder();
const LONGEST = 32 << 10; // bytes of a paste in one message, well below any --maxframesize
const RESET = '\x1bc'; // RIS
// The screen, attributes and modes that a program leaves which was killed.
const LEFT_BEHIND = '\x1b[?1049l\x1b[?1000;1002;1003;1004;1006;2004l\x1b[!p\x1b[?25l';

export class TerminalPanel {
  #connection;
  #endpoint;
  #note;
  #terminal;
  #fit;
  #flow;
  #editor;
  #fitLater = false;
  #bytes = false; // binary messages came, so the program may have a terminal
  #replaying = false; // what is drawn came long ago, and gets no replies

  constructor(connection, note, endpoint) {
    this.#connection = connection;
    this.#endpoint = endpoint;
    this.#note = note;
    const { terminal, fit } = openScreen($('terminal'), fontSize(), () => this.#resize());
    this.#terminal = terminal;
    this.#fit = fit;
    this.#flow = new Flow(terminal, connection, () => this.#idle());
    this.#editor = new LineEditor(terminal, this.#flow, { line: (text) => this.#sendLine(text), interrupt: () => this.#interrupt(), end: () => this.#end() });
    const clipboard = new Clipboard(terminal, note);
    new Search(terminal);
    setUp(terminal, () => this.#resize());
    terminal.attachCustomKeyEventHandler((event) => event.type !== 'keydown' || !(leaves(event) || clipboard.key(event)));
    terminal.onData((data) => this.#typed(data));
    terminal.onBinary((data) => this.#replaying || this.#send(Uint8Array.from(data, (c) => c.charCodeAt(0))));
    terminal.onResize(() => this.#resized());
    terminal.onBell(flash);
    $('terminal-clear').addEventListener('click', () => {
      terminal.clear();
      terminal.focus();
    });
    this.#showSize();
  }

  // size is {cols, rows}.
  get size() {
    const { cols, rows } = this.#terminal;
    return { cols, rows };
  }

  // opened begins with an empty screen: it is a new connection.
  opened() {
    this.#bytes = false;
    this.#editor.clear();
    this.#flow.restart();
    this.#flow.write(RESET);
    this.#greeted();
  }

  // resumed: the connection was made again, and knows nothing of the one before.
  resumed() {
    this.#flow.resumed();
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

  // replay takes entries that came before the terminal was there.
  replay(entries) {
    this.#replaying = true;
    for (const entry of entries) this.message(entry);
    this.#flow.drawn(() => { this.#replaying = false; });
  }

  closed(title) {
    this.#editor.hide();
    this.#editor.clear();
    this.#flow.write(`${LEFT_BEHIND}\r\n\x1b[2m[${title}]\x1b[0m\r\n`);
  }

  shown() {
    this.#resize();
  }

  focus() {
    this.#terminal.focus();
  }

  // hasTerminal: the kernel echoes and edits lines, and turns \n into \r\n.
  get #hasTerminal() {
    return this.#connection.hello?.pty ?? this.#endpoint.info?.pty ?? this.#bytes;
  }

  // greeted is when more may be known of the program.
  #greeted() {
    this.#terminal.options.convertEol = !this.#hasTerminal;
    this.#sendSize();
  }

  #typed(data) {
    if (this.#replaying || !['open', 'lost'].includes(this.#connection.state)) return;
    if (this.#hasTerminal) this.#send(encoder.encode(data));
    else this.#editor.type(data);
  }

  // send takes a string or bytes.
  #send(data) {
    try {
      if (typeof data === 'string') this.#connection.send(data);
      else for (let at = 0; at < data.length; at += LONGEST) this.#connection.send(data.subarray(at, at + LONGEST));
    } catch (error) {
      this.#note(`Not sent: ${error.message}`);
    }
  }

  // sendLine: without channels a message is a line, or bytes where binary ones came.
  #sendLine(text) {
    const { hasChannels } = this.#connection;
    this.#send(hasChannels ? encoder.encode(`${text}\n`) : text);
  }

  #interrupt() {
    if (this.#connection.hasControl) this.#connection.control({ type: 'signal', signal: 'INT' });
    else this.#note('Not interrupted: only the subprotocol v1.wspipe carries signals.');
  }

  #end() {
    if (this.#connection.hasControl) this.#connection.endInput();
    else this.#note('The input goes on: only the subprotocol v1.wspipe carries its end.');
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
    $('terminal-size').textContent = `${this.#terminal.cols}×${this.#terminal.rows}`;
  }

  #sendSize() {
    if (this.#hasTerminal) this.#connection.control({ type: 'resize', ...this.size });
  }
}

// leaves reports whether a key is the one that leaves the terminal, as Tab is the
// program's.
function leaves({ key, shiftKey, ctrlKey, altKey, metaKey }) {
  if (key !== 'F6' || !shiftKey || ctrlKey || altKey || metaKey) return false;
  $('terminal-tab').focus();
  return true;
}

// flash is what a bell does: it makes no sound.
function flash() {
  const { classList } = $('terminal-tab');
  classList.add('bell');
  setTimeout(() => classList.remove('bell'), 300);
}
