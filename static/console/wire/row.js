// A line of the wire: an entry of a trace, and its row.

import { visible } from '../format.js';
import { element } from '../log/portions.js';

// eventOf returns what an entry says: {conn, t, dir, text} or {conn, t, dir, frame}.
export function eventOf({ data }) {
  const event = JSON.parse(data);
  return event.lost ? { dir: '=', text: `${event.lost} lines were lost: the page was too slow for them` } : event;
}

// lineOf is a line as wspipe connect --trace prints it.
export const lineOf = (entry) => {
  const event = eventOf(entry);
  return event.line ?? `= ${event.text}`;
};

const kinds = { '>': 'out', '<': 'in', '=': 'event' };

// newRow makes the row of an entry. A cell with data-field can be asked about.
export function newRow(entry, isChosen) {
  const event = eventOf(entry), row = element('div', `row ${kinds[event.dir]}`);
  row.number = entry.number;
  if (isChosen) row.ariaCurrent = 'true';
  const time = element('time', '', event.t === undefined ? '' : event.t.toFixed(6));
  time.dataset.field = 'time';
  if (event.conn > 1 && /^GET /.test(event.text)) row.classList.add('divider');
  row.append(time, element('span', 'text', ...event.frame ? frameParts(event.frame) : [field('text', visible(event.text))]));
  return row;
}

const field = (name, text, className = '') => {
  const part = element('span', className, text);
  part.dataset.field = name;
  return part;
};

function frameParts(frame) {
  const parts = [field('opcode', frame.type, 'opcode'), field('fin', `fin=${Number(frame.fin)}`), field('rsv', `rsv=${frame.rsv}${frame.plain ? ' compressed' : ''}`),
    field('mask', `mask=${frame.mask}`), field('len', `len=${frame.len}`)];
  if (frame.plain) parts.push(field('plain', `plain=${frame.plain}`));
  if (frame.code) parts.push(field('code', `code=${frame.code}`), field('reason', `reason=${visible(frame.reason)}`));
  else if (frame.payload !== '""') parts.push(field('payload', visible(frame.payload), 'payload'));
  if (frame.rtt) parts.push(field('rtt', `rtt=${frame.rtt}`));
  if (frame.begun) parts.push(field('begun', `begun=${frame.begun}`));
  return parts.flatMap((part) => [part, ' ']);
}
