// The diagram of RFC 6455, section 5.2, for a frame: 32 bits a row.

import { element } from '../log/portions.js';
import { lengthBits, opcodeOf } from './explain.js';

// diagram returns a table whose cells have the names of fields in data-field.
export function diagram(frame) {
  const table = element('table', 'diagram'), caption = element('caption', '', 'This frame, bit by bit (RFC 6455, section 5.2)');
  const head = element('tr');
  for (const byte of ['byte 0', 'byte 1', 'byte 2', 'byte 3']) {
    const cell = element('th', '', byte);
    cell.colSpan = 8;
    cell.scope = 'col';
    head.append(cell);
  }
  const thead = element('thead', '', head), body = element('tbody');
  for (const row of rows(cells(frame))) {
    const tr = element('tr');
    for (const [bits, field, label, value] of row) {
      const cell = element('td', bits === 1 ? 'bit' : '', element('span', '', label), ' ', element('b', '', value));
      cell.colSpan = bits;
      cell.dataset.field = ['payload', 'code', 'reason'].includes(field) ? field : `${field} header`;
      tr.append(cell);
    }
    body.append(tr);
  }
  table.append(caption, thead, body);
  return table;
}

// cells returns [bits, field, label, value] of each field in the order of the wire. The
// payload has at least the rest of a row.
function cells(frame) {
  const bits = lengthBits(frame), rsv = [...frame.rsv];
  const list = [[1, 'fin', 'FIN', String(Number(frame.fin))], ...rsv.map((bit, i) => [1, 'rsv', `RSV${i + 1}`, bit]),
    [4, 'opcode', 'opcode', String(opcodeOf(frame))], [1, 'mask', 'MASK', frame.mask === '-' ? '0' : '1'],
    [7, 'len', 'payload length', bits === 7 ? String(frame.len) : bits === 16 ? '126' : '127']];
  if (bits > 7) list.push([bits, 'len', 'extended payload length', String(frame.len)]);
  if (frame.mask !== '-') list.push([32, 'mask', 'masking key', frame.mask]);
  if (frame.code) list.push([16, 'code', 'close code', String(frame.code)]);
  if (frame.code && frame.len > 2) list.push([8 * (frame.len - 2), 'reason', 'reason', frame.reason]);
  else if (!frame.code && frame.len) list.push([8 * frame.len, 'payload', 'payload', `${frame.len} bytes`]);
  return list;
}

const ROWS = 2; // that a field has at most here

// rows splits fields where a row of 32 bits ends.
function rows(list) {
  const all = [[]];
  let room = 32;
  for (const [bits, field, label, value] of list) {
    for (let left = bits, part = 0; left > 0 && part < ROWS; part++) {
      if (!room) {
        all.push([]);
        room = 32;
      }
      const here = Math.min(left, room);
      left -= here;
      room -= here;
      all.at(-1).push([here, field, part ? `${label}, continued` : label, part ? '' : value]);
    }
    if (field === 'payload' || field === 'reason') break;
  }
  return all;
}
