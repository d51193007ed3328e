// Payloads with their structure: JSON to unfold, text in its colours, bytes in
// hexadecimal.

import { hex, plural, readable } from '../format.js';
import { Ansi } from './ansi.js';
import { branch, isJSON } from './json.js';
import { levelOf } from './links.js';
import { inPortions } from './portions.js';
import { show } from './row.js';

// narrow screens have room for half a line of bytes.
export const narrow = matchMedia('(max-width: 56rem)');

// These hold what no text does: bytes with them are better seen in hexadecimal.
const notText = /[\0-\x06\x0e-\x1a\x1c-\x1f\x7f]/;

// asText is a payload as text, or null if it is better seen as bytes.
export function asText({ data, channel }) {
  if (typeof data === 'string') return data;
  const text = readable(data);
  return text === null || (!channel && notText.test(text)) ? null : text;
}

export function formatted(cell, entry, row) {
  const text = asText(entry);
  if (text === null) {
    row.classList.add('hex');
    dump(cell, new Uint8Array(entry.data));
  } else if (isJSON(text)) {
    cell.append(branch(text, entry));
    const level = levelOf(text);
    if (level) row.dataset.level = level;
  } else {
    const ansi = new Ansi(), level = entry.kind === 'in' && levelOf(text);
    if (level) row.dataset.level = level;
    show(cell, text, (part, last) => ansi.take(part, last));
  }
}

function dump(cell, all) {
  const width = narrow.matches ? 8 : 16;
  const digits = all.length > 0x10000 ? 8 : 4;
  inPortions(cell, all.length, 256, 16_384, (n) => plural(n, 'byte'), (from, n) => {
    const lines = [];
    const end = Math.min(all.length, from + n);
    for (let at = from; at < end; at += width) {
      const line = all.subarray(at, Math.min(end, at + width));
      const letters = Array.from(line, (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : '.')).join('');
      lines.push(`${at.toString(16).padStart(digits, '0')}  ${hex(line).padEnd(3 * width - 1)}  ${letters}`);
    }
    return [`${from ? '\n' : ''}${lines.join('\n')}`, end - from];
  });
}
