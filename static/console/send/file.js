// The panel that sends a file: which one, how it is split, and how much has been sent. It is loaded
// with the first file.

import { bytes, plural } from '../format.js';
import { isText, lines, pieces, whole } from './split.js';

const WAITING = 1 << 20; // bytes that may wait in the browser, so that a file need not fit there
const LONGEST = 64 << 20; // line, where the server sets no limit
const BURST = 8; // milliseconds of sending that go unnoticed

const later = (delay) => new Promise((done) => setTimeout(done, delay));

export class FilePanel {
  #parts;
  #page;
  #file = null; // the one in the panel
  #sending = false;
  #stopped = ''; // why not all of it goes: 'cancelled' or 'ended'

  // parts are the elements of the panel. page has active, the Pane that the file goes
  // to, endpoint, and note(text).
  constructor(parts, page) {
    this.#parts = parts;
    this.#page = page;
    this.#parts.fileAs.addEventListener('change', () => this.#warn());
    this.#parts.fileSend.addEventListener('click', () => this.#run());
    this.#parts.fileCancel.addEventListener('click', () => {
      this.#stopped = 'cancelled';
      if (!this.#sending) this.#close();
    });
  }

  // ended stops the file with its connection, even if its session goes on: what
  // was underway may not have arrived, and the file would have a hole.
  ended() {
    this.#stopped ||= 'ended';
  }

  // open shows the panel for the first of files.
  async open([file, ...others]) {
    if (this.#sending) {
      this.#page.note(`${file.name} was not opened: another file is being sent.`);
      return;
    }
    this.#page.note(others.length ? `One file at a time: this is ${file.name}.` : '');
    const way = await this.#best(file);
    if (this.#sending) return;
    this.#file = file;
    this.#parts.fileName.textContent = `${file.name}, ${bytes(file.size)}`;
    this.#parts.fileAs.value = way;
    this.#warn();
    this.#parts.filePanel.hidden = false;
    this.#parts.fileSend.focus();
  }

  // #best is how a file suits what will read it.
  async #best(file) {
    const { endpoint: { info }, active: { connection } } = this.#page;
    if (connection.hasChannels || info?.pty || info?.framing === 'bytes') return 'pieces';
    return ['lines', 'json'].includes(info?.framing) && await isText(file) ? 'lines' : 'one';
  }

  #warn() {
    const most = this.#page.endpoint.info?.maxMessage;
    const over = most && this.#parts.fileAs.value === 'one' && this.#file.size > most;
    this.#parts.fileState.textContent = over ? `The server takes ${bytes(most)}: it would end the connection.` : '';
  }

  #close() {
    const wasHere = this.#parts.filePanel.contains(document.activeElement);
    this.#parts.filePanel.hidden = true;
    this.#file = null;
    if (wasHere) this.#parts.message.focus();
  }

  #busy(on) {
    this.#sending = on;
    this.#parts.fileProgress.hidden = !on;
    for (const element of [this.#parts.fileAs, this.#parts.fileSend, this.#parts.fileButton]) element.disabled = on;
  }

  async #run() {
    if (this.#page.active.connection.state !== 'open') {
      this.#page.note('Not sent: there is no connection.');
      return;
    }
    const { name } = this.#file;
    this.#stopped = '';
    this.#parts.fileCancel.focus();
    this.#busy(true);
    try {
      this.#page.note(await this.#send(this.#file));
    } catch (error) {
      this.#page.note(`${name} was not sent to its end: ${error.message}`);
    }
    this.#busy(false);
    this.#close();
  }

  // #send returns what to tell the user. It throws if the file cannot be read or split.
  async #send(file) {
    const connection = this.#page.active.connection;
    const size = bytes(file.size);
    // To a stream goes the file, and nothing else.
    const put = connection.hasChannels || this.#page.active.info?.pty ? (message) => connection.type(typeof message === 'string' ? new TextEncoder().encode(message) : message) : (message) => connection.send(message);
    let handed = 0, messages = 0, rested = performance.now();
    const rest = async (delay) => {
      const left = Math.max(0, handed - connection.waiting);
      this.#parts.fileProgress.value = left / (file.size || 1);
      this.#parts.fileState.textContent = `${bytes(left)} of ${size}`;
      await later(delay);
      rested = performance.now();
    };
    await rest(0);
    for await (const [message, end] of this.#split(file, connection)) {
      while (!this.#stopped && connection.waiting > WAITING) await rest(20);
      if (performance.now() - rested > BURST) await rest(0);
      if (this.#stopped) break;
      put(message);
      handed = end;
      messages++;
    }
    while (!this.#stopped && connection.waiting) await rest(10);
    if (this.#stopped === 'ended') return `The connection ended: of ${file.name} at least ${this.#parts.fileState.textContent} had been sent.`;
    if (handed < file.size) return `Cancelled after ${bytes(handed)} of ${size} of ${file.name}.`;
    return `Sent ${file.name}: ${size} in ${plural(messages, 'message')}.`;
  }

  #split(file, connection) {
    const way = this.#parts.fileAs.value;
    if (way === 'one') return whole(file);
    if (way === 'pieces') return pieces(file);
    // With channels nobody but the sender ends a line.
    return lines(file, this.#page.endpoint.info?.maxMessage || LONGEST, connection.hasChannels ? '\n' : '');
  }
}
