// The log as text and as NDJSON, to the clipboard and to files.

import { clock, cut, hex, visible } from '../format.js';
import { asText } from './payload.js';

const marks = { in: '<', out: '>', event: '*' };
const PIECE = 1 << 20; // characters that are written before the page may go on

// lines yields an entry as "12:34:56.789 < text". Further lines of a message are
// indented below its first, so that none can be taken for an entry.
export function* lines(entry) {
  const head = `${clock(entry.at)} ${marks[entry.kind]} `;
  yield head;
  if (entry.channel) yield `[${entry.channel}] `;
  const text = asText(entry);
  if (text === null) {
    const some = new Uint8Array(entry.data.slice(0, 256));
    yield `[${entry.size} bytes] ${hex(some)}${entry.size > 256 ? ' …' : ''}`;
  } else {
    for (const part of pieces(text)) yield visible(part).replaceAll('\n', `\n${' '.repeat(head.length)}`);
  }
  yield '\n';
}

// ndjson yields an entry as one line of JSON, with every byte of its payload: as
// text, or in base64 if it is binary. What a channel carries is text if it can be.
export function* ndjson({ kind, at, size, channel, data }) {
  const head = { time: new Date(at).toISOString(), direction: kind, size };
  if (channel) head.channel = channel;
  yield JSON.stringify(head).slice(0, -1);
  const text = typeof data === 'string' ? data : channel ? exact(data) : null;
  if (text !== null) {
    yield ',"text":"';
    for (const part of pieces(text)) yield JSON.stringify(part).slice(1, -1);
  } else {
    yield ',"base64":"';
    for (let i = 0; i < data.byteLength; i += 24_576) yield btoa(String.fromCharCode(...new Uint8Array(data.slice(i, i + 24_576))));
  }
  yield '"}\n';
}

function exact(data) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return null;
  }
}

function* pieces(text) {
  for (let from = 0; from < text.length; ) {
    const part = cut(text, from, PIECE);
    yield part;
    from += part.length;
  }
}

// save downloads entries, each written by write, as a file.
export async function save(entries, write, type, ending) {
  const parts = await written(entries, write);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = `wspipe-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari reads it late
}

// written makes blobs, which a browser may keep on disk, and lets the page go on
// between them.
async function written(entries, write) {
  const parts = [];
  let text = [];
  let length = 0;
  const flush = () => {
    parts.push(new Blob(text));
    text = [];
    length = 0;
  };
  for (const entry of entries) {
    for (const part of write(entry)) {
      text.push(part);
      if ((length += part.length) < PIECE) continue;
      flush();
      await new Promise((done) => { setTimeout(done); });
    }
  }
  flush();
  return parts;
}

// text is all of entries as lines has them.
export const text = (entries) => entries.map((entry) => [...lines(entry)].join('')).join('');
