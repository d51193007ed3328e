// One row of the log: when, how much, and the payload as the user wants it shown.

import { bytes, clock, cut, plural, seconds, textOf, visible } from '../format.js';
import { cardOf } from './card.js';
import { element, inPortions } from './portions.js';

const HEAD = 4_000; // characters shown of a long message,
const MORE = 200_000; // and how many more each time the user asks

const pattern = element('div', 'row');
pattern.append(element('time'), element('span', 'size'), element('span', 'text'));

const times = {
  clock: ({ at }) => clock(at),
  start: ({ sinceStart }) => seconds(sinceStart),
  between: ({ sinceLast }) => `+${seconds(sinceLast)}`,
};

// newRow makes the row of an entry; payload(cell, entry, row) fills its last cell,
// and time is a name of times.
export function newRow(entry, { payload, time }) {
  const row = pattern.cloneNode(true);
  const [timeCell, sizeCell, textCell] = row.children;
  row.number = entry.number;
  row.className = `row ${entry.kind}`;
  timeCell.textContent = times[time](entry);
  if (typeof entry.data !== 'string') {
    row.classList.add('binary');
    textCell.dataset.tag = 'binary';
  }
  if (entry.channel) textCell.dataset.tag = entry.channel;
  if (entry.channel === 'stderr') row.classList.add('stderr');
  if (entry.divider) row.classList.add('divider');
  if (entry.card) textCell.append(cardOf(entry.card));
  else if (entry.kind === 'event') plain(textCell, entry);
  else {
    sizeCell.textContent = bytes(entry.size);
    payload(textCell, entry, row);
  }
  return row;
}

// plain shows a payload as mere text.
export const plain = (cell, entry) => show(cell, textOf(entry.data), (part) => [visible(part), part.length]);

// show appends a text by and by: render(part, last) is as in inPortions.
export function show(cell, text, render) {
  inPortions(cell, text.length, HEAD, MORE, (n) => plural(n, 'character'), (from, n) => {
    const part = cut(text, from, n);
    return render(part, from + part.length === text.length);
  });
}
