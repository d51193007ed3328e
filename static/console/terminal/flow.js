// Flow carries output to the screen. Its queue is bounded: the server is asked to
// pause and to continue, and if it does not, the oldest output is left out.

import { bytes as shown } from '../format.js';

const BLOCK = 64 << 10; // bytes
const AT_WORK = 4 * BLOCK; // given to xterm.js, which works in slices of 12 ms
const HIGH = 1 << 20, LOW = 256 << 10, MOST = 8 << 20;
const encoder = new TextEncoder();

export class Flow {
  #terminal;
  #connection;
  #idle;
  #blocks = []; // of {bytes, used}: many short messages share one
  #queued = 0; // bytes in blocks
  #working = 0; // bytes in xterm.js
  #omitted = 0; // bytes left out since the last note of that
  #paused = false;
  #written = 0; // bytes, since the beginning
  #done = 0; // of these, drawn or left out
  #drawn = null; // {at, then}: called when so many are

  // idle is called whenever all has been shown.
  constructor(terminal, connection, idle) {
    this.#terminal = terminal;
    this.#connection = connection;
    this.#idle = idle;
  }

  // waiting is how many bytes have not been shown yet.
  get waiting() {
    return this.#queued + this.#working;
  }

  // write takes a string or a Uint8Array.
  write(data) {
    let bytes = typeof data === 'string' ? encoder.encode(data) : data;
    while (bytes.length) {
      const block = this.#open(), part = bytes.subarray(0, BLOCK - block.used);
      block.bytes.set(part, block.used);
      block.used += part.length;
      this.#written += part.length;
      this.#queued += part.length;
      bytes = bytes.subarray(part.length);
    }
    if (this.waiting > HIGH && !this.#paused) {
      this.#paused = true;
      this.#connection.hold('terminal');
    }
    this.#work();
  }

  // drawn calls then when all that was written before has been drawn. One call waits
  // at a time.
  drawn(then) {
    this.#drawn = { at: this.#written, then };
    this.#count(0);
  }

  // restart forgets what waits: it was of a connection that is over.
  restart() {
    this.#done += this.#queued;
    this.#blocks = [];
    this.#drawn = null;
    this.#queued = this.#omitted = 0;
    this.#paused = false;
  }

  // open returns the last block, which has room, and leaves the oldest out where
  // there are too many.
  #open() {
    const last = this.#blocks.at(-1);
    if (last?.used < BLOCK) return last;
    if (this.#blocks.length === MOST / BLOCK) {
      const { used } = this.#blocks.shift();
      this.#queued -= used;
      this.#omitted += used;
      this.#done += used;
    }
    const block = { bytes: new Uint8Array(BLOCK), used: 0 };
    this.#blocks.push(block);
    return block;
  }

  #work() {
    while (this.#working < AT_WORK && this.#blocks.length) {
      const { bytes, used } = this.#blocks.shift();
      this.#queued -= used;
      this.#working += used;
      this.#terminal.write(bytes.subarray(0, used), () => this.#worked(used));
    }
  }

  #worked(size) {
    this.#working -= size;
    this.#count(size);
    this.#work();
    if (this.waiting < LOW) this.#continue();
    if (this.waiting) return;
    if (this.#omitted) {
      const text = `\x1b[0m\r\n\x1b[7m[${shown(this.#omitted)} not shown]\x1b[0m\r\n`;
      this.#omitted = 0;
      this.write(text);
    } else this.#idle();
  }

  #count(size) {
    this.#done += size;
    if (!this.#drawn || this.#done < this.#drawn.at) return;
    this.#drawn.then();
    this.#drawn = null;
  }

  #continue() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.release('terminal');
  }
}
