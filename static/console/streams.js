// What a client without channels would receive, from the streams of v1.wspipe:
// the console offers that by itself, for stderr, signals and flow control.

import { Records } from './records.js';

const ends = { lines: 10, nul: 0 }; // the byte after each message
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

// Streams splits stdout as --framing does, and stderr into lines.
export class Streams {
  #stdout;
  #records = null; // stdout, of length and lsp
  #stderr = new Lines(ends.lines);
  #end; // undefined but for lines and nul

  // framing is 'lines', 'nul', 'bytes', 'length' or 'lsp'. broken(framing) is called once
  // if stdout does not follow it.
  constructor(framing, broken) {
    this.#end = ends[framing];
    if (['length', 'lsp'].includes(framing)) this.#stdout = this.#records = new Records(framing, () => broken(framing));
    else this.#stdout = new Lines(this.#end);
  }

  // out returns the messages that are complete with content, an ArrayBuffer.
  out(content) {
    if (this.#records || this.#end !== undefined) return this.#stdout.split(content);
    return content.byteLength ? [content] : []; // the server opens a channel with an empty message
  }

  err(content) {
    return this.#stderr.split(content);
  }

  // rest returns the last lines of both, which have no newline.
  rest() {
    return [this.#stdout.rest(), this.#stderr.rest()];
  }

  // partial is the line of stdout that is not complete.
  get partial() {
    return this.#stdout.partial;
  }

  // terminated returns a message, a Uint8Array, as the child reads it.
  terminated(message) {
    if (this.#records) return this.#records.record(message);
    if (this.#end === undefined) return message;
    const line = new Uint8Array(message.length + 1);
    line.set(message);
    line[message.length] = this.#end;
    return line;
  }
}

class Lines {
  #parts = []; // of the line that is not complete
  #end;

  constructor(end) {
    this.#end = end;
  }

  split(content) {
    const bytes = new Uint8Array(content), last = bytes.lastIndexOf(this.#end);
    if (last < 0) {
      if (bytes.length) this.#parts.push(bytes);
      return [];
    }
    // No other character has that byte in it.
    const text = this.#take(bytes.subarray(0, last));
    if (last + 1 < bytes.length) this.#parts.push(bytes.subarray(last + 1));
    const all = text.split(String.fromCharCode(this.#end));
    return this.#end ? all.map((line) => line.endsWith('\r') ? line.slice(0, -1) : line) : all;
  }

  rest() {
    if (!this.#parts.length) return [];
    return [this.#take(new Uint8Array())];
  }

  get partial() {
    return this.#parts.length ? decode(this.#parts) : '';
  }

  #take(end) {
    const text = decode([...this.#parts, end]);
    this.#parts = [];
    return text;
  }
}

function decode(parts) {
  if (parts.length === 1) return lenient.decode(parts[0]);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return lenient.decode(all);
}
