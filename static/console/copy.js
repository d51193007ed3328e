// The whole log as plain text, and the way to the clipboard.

import { clock } from './format.js';

const marks = { in: '<', out: '>', event: '*' };

// logText writes an entry as "12:34:56.789 < text". Further lines of a message
// are indented below its first, so that none can be taken for an entry.
export function logText(entries) {
  const lines = [];
  for (const { kind, at, text, size, hex } of entries) {
    const head = `${clock(at)} ${marks[kind]} `;
    const body = hex ? `[${size} bytes] ${text}` : text;
    lines.push(head + body.replaceAll('\n', `\n${' '.repeat(head.length)}`));
  }
  return lines.join('\n') + '\n';
}

// copy says whether text went to the clipboard.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no navigator.clipboard on plain http: but for this very machine.
    return copySelected(text);
  }
}

function copySelected(text) {
  const back = document.activeElement;
  const box = document.createElement('textarea');
  box.className = 'hidden';
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand('copy');
  box.remove();
  back?.focus();
  return done;
}
