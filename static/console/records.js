// The records of --framing=length and --framing=lsp in a stream.

const encoder = new TextEncoder(), lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const LONGEST = 64 << 20; // bytes of a record: what announces more is none
const HEAD = 4096; // bytes that the header of a record has at most

// kinds have head(bytes), which returns the sizes of the header and the body that bytes
// begin with, null if the header is incomplete, or throws; prefix(size), the header of a
// record that is sent; and message(body), what a client without channels receives.
const kinds = {
  length: {
    head: (bytes) => bytes.length < 4 ? null : [4, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)],
    prefix: (size) => new Uint8Array([size >>> 24, size >>> 16, size >>> 8, size]),
    message: (body) => body.slice().buffer,
  },
  lsp: {
    head(bytes) {
      const text = lenient.decode(bytes.subarray(0, HEAD)), [head] = /^[^]*?\r?\n\r?\n/.exec(text) ?? [];
      if (!head && bytes.length < HEAD && !/(?:^|\n)[^:\n]*\n/.test(text)) return null;
      const [, size] = /^content-length:[ \t]*(\d+)[ \t]*\r?$/im.exec(head ?? '') ?? [];
      if (!size) throw new Error('no Content-Length');
      return [encoder.encode(head).length, Number(size)];
    },
    prefix: (size) => encoder.encode(`Content-Length: ${size}\r\n\r\n`),
    message: (body) => lenient.decode(body),
  },
};

export class Records {
  #kind;
  #broken;
  #isBroken = false;
  #parts = []; // what is not a complete record
  #size = 0; // of parts
  #needed = 1; // bytes, before it is worth to look

  // broken is called if the stream has no such records.
  constructor(framing, broken) {
    this.#kind = kinds[framing];
    this.#broken = broken;
  }

  // split returns the messages that are complete with content, an ArrayBuffer.
  split(content) {
    this.#parts.push(new Uint8Array(content));
    this.#size += content.byteLength;
    if (this.#size < this.#needed && !this.#isBroken) return [];
    return this.#isBroken ? this.rest() : this.#complete(join(this.#parts, this.#size));
  }

  // rest returns what is left at the end.
  rest() {
    const all = join(this.#parts, this.#size);
    [this.#parts, this.#size] = [[], 0];
    return all.length ? [all.buffer] : [];
  }

  get partial() { return ''; }

  // record returns a message, a Uint8Array, as a record.
  record(message) {
    const prefix = this.#kind.prefix(message.length);
    return join([prefix, message], prefix.length + message.length);
  }

  #complete(all) {
    const messages = [];
    try {
      for (let head; (head = this.#kind.head(all)); all = all.subarray(this.#needed)) {
        this.#needed = head[0] + head[1];
        if (this.#needed > LONGEST) throw new Error('too long');
        if (all.length < this.#needed) break;
        messages.push(this.#kind.message(all.subarray(head[0], this.#needed)));
      }
      if (!this.#kind.head(all)) this.#needed = all.length + 1;
    } catch {
      this.#isBroken = true;
      this.#broken();
    }
    [this.#parts, this.#size] = [all.length ? [all] : [], all.length];
    return this.#isBroken ? [...messages, ...this.rest()] : messages;
  }
}

function join(parts, size) {
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
