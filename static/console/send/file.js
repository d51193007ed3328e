// The panel that sends a file: which, cut how, and how far it is. It is loaded
// with the first file.

import { bytes, plural } from '../format.js';
import { isText, lines, pieces, whole } from './cut.js';

const $ = (id) => document.getElementById(id);
const WAITING = 1 << 20; // bytes that may wait in the browser, so that a file need not fit there
const LONGEST = 64 << 20; // line, where the server sets no limit
const BURST = 8; // milliseconds of sending that go unnoticed

const later = (delay) => new Promise((done) => setTimeout(done, delay));

export class FilePanel {
  #connection;
  #note;
  #endpoint;
  #file = null; // the one in the panel
  #sending = false;
  #stopped = ''; // why not all of it goes: 'cancelled' or 'ended'

  constructor(connection, note, endpoint) {
    this.#connection = connection;
    this.#note = note;
    this.#endpoint = endpoint;
    $('file-as').addEventListener('change', () => this.#warn());
    $('file-send').addEventListener('click', () => this.#run());
    $('file-cancel').addEventListener('click', () => {
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
      this.#note(`${file.name} was not opened: another file is being sent.`);
      return;
    }
    this.#note(others.length ? `One file at a time: this is ${file.name}.` : '');
    const way = await this.#best(file);
    if (this.#sending) return;
    this.#file = file;
    $('file-name').textContent = `${file.name}, ${bytes(file.size)}`;
    $('file-as').value = way;
    this.#warn();
    $('file-panel').hidden = false;
    $('file-send').focus();
  }

  // #best is how a file suits what will read it.
  async #best(file) {
    const { info } = this.#endpoint;
    if (this.#connection.hasChannels || info?.pty || info?.framing === 'bytes') return 'pieces';
    return ['lines', 'json'].includes(info?.framing) && await isText(file) ? 'lines' : 'one';
  }

  #warn() {
    const most = this.#endpoint.info?.maxMessage;
    const over = most && $('file-as').value === 'one' && this.#file.size > most;
    $('file-state').textContent = over ? `The server takes ${bytes(most)}: it would end the connection.` : '';
  }

  #close() {
    const wasHere = $('file-panel').contains(document.activeElement);
    $('file-panel').hidden = true;
    this.#file = null;
    if (wasHere) $('message').focus();
  }

  #busy(on) {
    this.#sending = on;
    $('file-progress').hidden = !on;
    for (const id of ['file-as', 'file-send', 'file-button']) $(id).disabled = on;
  }

  async #run() {
    if (this.#connection.state !== 'open') {
      this.#note('Not sent: there is no connection.');
      return;
    }
    const { name } = this.#file;
    this.#stopped = '';
    $('file-cancel').focus();
    this.#busy(true);
    try {
      this.#note(await this.#send(this.#file));
    } catch (error) {
      this.#note(`${name} was not sent to its end: ${error.message}`);
    }
    this.#busy(false);
    this.#close();
  }

  // #send returns what has come of it. It throws if the file cannot be read or cut.
  async #send(file) {
    const connection = this.#connection;
    const size = bytes(file.size);
    let handed = 0, messages = 0, rested = performance.now();
    const rest = async (delay) => {
      const left = Math.max(0, handed - connection.waiting);
      $('file-progress').value = left / (file.size || 1);
      $('file-state').textContent = `${bytes(left)} of ${size}`;
      await later(delay);
      rested = performance.now();
    };
    await rest(0);
    for await (const [message, end] of this.#cut(file)) {
      while (!this.#stopped && connection.waiting > WAITING) await rest(20);
      if (performance.now() - rested > BURST) await rest(0);
      if (this.#stopped) break;
      connection.send(message);
      handed = end;
      messages++;
    }
    while (!this.#stopped && connection.waiting) await rest(10);
    if (this.#stopped === 'ended') return `The connection ended: of ${file.name} at least ${$('file-state').textContent} had been sent.`;
    if (handed < file.size) return `Cancelled after ${bytes(handed)} of ${size} of ${file.name}.`;
    return `Sent ${file.name}: ${size} in ${plural(messages, 'message')}.`;
  }

  #cut(file) {
    const way = $('file-as').value;
    if (way === 'one') return whole(file);
    if (way === 'pieces') return pieces(file);
    // With channels nobody but the sender ends a line.
    return lines(file, this.#endpoint.info?.maxMessage || LONGEST, this.#connection.hasChannels ? '\n' : '');
  }
}
