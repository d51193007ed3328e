// One message: as text or a tree, in hexadecimal, and how it differs from the one
// before it in the same direction.

import { copy } from '../copy.js';
import { bytes, clock, hex, seconds, textOf, visible } from '../format.js';
import { element } from '../log/portions.js';
import { formatted } from '../log/payload.js';

const HEX = 1024; // bytes that are shown in hexadecimal

export class MessageView {
  #panel;
  #page;
  #entry = null;
  #previous = null;

  constructor(panel, page) {
    this.#panel = panel;
    this.#page = page;
    this.#panel.append(element('p', 'hint', 'Click on the time of a message in the log.'));
  }

  set entry([entry, previous]) {
    this.#entry = entry;
    this.#previous = previous;
    this.#draw();
  }

  show() {}

  #draw() {
    const entry = this.#entry, all = typeof entry.data === 'string' ? new TextEncoder().encode(entry.data) : new Uint8Array(entry.data);
    const tree = element('div', 'text');
    formatted(tree, { ...entry, open: true }, element('div'));
    const head = `${entry.kind === 'out' ? 'sent' : 'received'} ${clock(entry.at)}, ${bytes(entry.size)}, ${seconds(entry.sinceLast)} s after the entry before`;
    const parts = [element('p', 'hint', head), this.#actions(), element('h2', '', 'Content'), tree,
      element('h2', '', 'Bytes'), element('pre', '', hex(all.subarray(0, HEX)) + (all.length > HEX ? ' …' : ''))];
    if (this.#previous) parts.push(element('h2', '', 'Difference from the one before'), difference(textOf(this.#previous.data), textOf(entry.data)));
    this.#panel.replaceChildren(...parts);
  }

  #actions() {
    const button = (label, run) => {
      const made = element('button', '', label);
      made.type = 'button';
      made.addEventListener('click', run);
      return made;
    };
    const { data } = this.#entry;
    return element('div', 'group',
      button('Copy message', async () => this.#page.note((await copy(textOf(data))) ? 'Copied.' : 'The browser does not let this page copy.')),
      button('Send again', () => this.#page.active.send(typeof data === 'string' ? data.replace(/[\r\n]+$/, '') : new Uint8Array(data))));
  }
}

// difference marks what of text is not in before: all but a common head and tail.
function difference(before, text) {
  if (before === text) return element('p', 'hint', 'None: they are the same.');
  let start = 0, end = 0;
  while (start < text.length && text[start] === before[start]) start++;
  while (end < text.length - start && end < before.length - start && text.at(-1 - end) === before.at(-1 - end)) end++;
  const part = (name, from, to) => element(name, '', visible(from.slice(start, from.length - to)));
  return element('pre', '', visible(text.slice(0, start)), part('del', before, end), part('ins', text, end), visible(text.slice(text.length - end)));
}
