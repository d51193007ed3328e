// One line of the wire: its fields, what each means, and where it is in a frame.

import { visible } from '../format.js';
import { element } from '../log/portions.js';
import { diagram } from './diagram.js';
import { lineMeaning, meaning, opcodeOf } from './explain.js';
import { eventOf } from './row.js';

export class Detail {
  #event = null;
  #meaning = element('p', 'meaning');
  #fields = element('div', 'fields');
  #body = element('div', 'inspected');

  root = element('section', 'wire-detail');

  // step(by) chooses the next line (1) or the previous one (-1).
  constructor(step) {
    this.root.ariaLabel = 'Explanation';
    this.#meaning.role = 'status';
    this.#fields.role = 'group';
    this.#fields.ariaLabel = 'Fields';
    this.root.addEventListener('click', ({ target }) => {
      const by = { 'Previous line': -1, 'Next line': 1 }[target.textContent], { field } = target.closest('[data-field]')?.dataset ?? {};
      if (by) step(by);
      else if (field && this.#event?.frame) this.#mark(field.split(' ')[0]);
    });
    const steps = element('div', 'group', button('Previous line'), button('Next line'));
    this.root.append(this.#body, steps);
    this.#body.append(element('p', 'hint', 'Click on any field of a line, and here stands what it means.'));
    steps.hidden = true;
    this.steps = steps;
  }

  // choose shows an entry, and marks a field.
  choose(entry, field) {
    const event = this.#event = eventOf(entry), { frame, dir } = event;
    this.steps.hidden = false;
    const title = frame ? `Frame ${dir === '>' ? '↑ sent' : '↓ received'}` : dir === '=' ? 'Explanation' : `Handshake ${dir === '>' ? '↑ request' : '↓ response'}`;
    const head = element('h2', '', title);
    if (!frame) {
      this.#meaning.textContent = lineMeaning(event);
      return this.#body.replaceChildren(head, this.#meaning, element('pre', '', visible(event.text)));
    }
    this.#fields.replaceChildren(...fieldsOf(frame).map(([name, value, label]) => {
      const made = button('');
      made.append(element('b', '', value), ' ', element('small', '', label));
      made.dataset.field = name;
      return made;
    }));
    const parts = [head, this.#fields, this.#meaning, diagram(frame), element('h2', '', frame.plain ? 'Payload, inflated' : 'Payload'), element('pre', '', visible(frame.payload) || ' ')];
    this.#body.replaceChildren(...parts);
    this.#mark(field);
  }

  #mark(field = 'opcode') {
    const name = field === 'text' ? 'opcode' : field;
    this.#meaning.textContent = meaning(this.#event, name);
    for (const made of this.#fields.children) made.ariaPressed = String(made.dataset.field === name);
    for (const cell of this.#body.querySelectorAll('td')) cell.classList.toggle('marked', cell.dataset.field.split(' ').includes(name));
  }
}

// fieldsOf returns [name, value, label] of each field.
function fieldsOf(frame) {
  const list = [['fin', String(Number(frame.fin)), 'FIN'], ['rsv', frame.rsv, 'RSV1–3'], ['opcode', `${opcodeOf(frame)} ${frame.type}`, 'opcode'],
    ['mask', frame.mask === '-' ? '0' : `1 ${frame.mask}`, 'MASK'], ['len', String(frame.len), 'length'], ['header', frame.header, 'header']];
  if (frame.plain) list.push(['plain', frame.plain, 'inflated']);
  if (frame.code) list.push(['code', String(frame.code), 'code'], ['reason', visible(frame.reason), 'reason']);
  else list.push(['payload', frame.len ? '…' : 'empty', 'payload']);
  if (frame.rtt) list.push(['rtt', frame.rtt, 'round trip']);
  if (frame.begun) list.push(['begun', frame.begun, 'begun by']);
  return list;
}

function button(label) {
  const made = element('button', '', label);
  made.type = 'button';
  return made;
}
