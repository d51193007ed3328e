// Finds among the entries that are shown, marks what it finds, and goes from one
// to the next.

import { count } from '../format.js';
import { contains, watch } from './filter.js';

const MARKS = 2_000; // ranges highlighted at most
const highlight = globalThis.Highlight && new Highlight();
if (highlight) CSS.highlights.set('found', highlight);

export class Search {
  #view;
  #output;
  #wanted = null;
  #found = []; // numbers of entries, in order
  #next = 0; // number of the entry to look at next
  #current = -1;
  #painted = -1; // the view's version whose rows are marked

  constructor(view, { field, previous, next, output }, note) {
    this.#view = view;
    this.#output = output;
    watch(field, note, (wanted) => {
      this.#wanted = wanted;
      this.reset();
    });
    previous.addEventListener('click', () => this.#step(-1));
    next.addEventListener('click', () => this.#step(+1));
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      this.#step(event.shiftKey ? -1 : +1);
    });
  }

  get view() { return this.#view; }

  // view is that of another log.
  set view(view) {
    this.#view = view;
    this.reset();
  }

  // reset looks through all that is shown again, as its filter has changed.
  reset() {
    this.#found = [];
    this.#next = 0;
    this.#current = -1;
    this.#painted = -1;
    this.#view.update();
  }

  // frame goes on until a deadline, and says whether there is more to look through.
  // first is the number of the oldest entry that is kept.
  frame(first, deadline) {
    let dropped = 0;
    while (this.#found[dropped] < first) dropped++;
    this.#found.splice(0, dropped);
    const more = this.#wanted !== null && this.#look(deadline);
    if (this.#painted !== this.#view.version) this.#paint();
    this.#say();
    return more;
  }

  #look(deadline) {
    for (const entry of this.#view.from(this.#next)) {
      if (performance.now() > deadline) return true;
      if (contains(this.#wanted, entry)) {
        this.#found.push(entry.number);
        this.#painted = -1;
      }
      this.#next = entry.number + 1;
    }
    return false;
  }

  #step(by) {
    const { length } = this.#found;
    if (!length) return;
    // From the current one, which may have been dropped, or else from the top row.
    const from = this.#current < 0 ? this.#view.topNumber : this.#current;
    let at = this.#found.findIndex((number) => number >= from);
    if (at < 0) at = length;
    if (by < 0) at--;
    else if (this.#found[at] === this.#current) at++;
    this.#current = this.#found[(at + length) % length];
    this.#painted = -1;
    this.#view.reveal(this.#current);
  }

  #paint() {
    this.#painted = this.#view.version;
    highlight?.clear();
    for (const row of this.#view.rows()) {
      const found = this.#wanted !== null && this.#has(row.number);
      row.classList.toggle('found', found);
      row.classList.toggle('current', found && row.number === this.#current);
      row.ariaCurrent = found && row.number === this.#current ? 'true' : null;
      if (found && highlight?.size < MARKS) this.#mark(row.lastElementChild);
    }
  }

  #has(number) {
    const found = this.#found;
    let low = 0;
    for (let high = found.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (found[middle] < number) low = middle + 1;
      else high = middle;
    }
    return found[low] === number;
  }

  // mark highlights the matches in an element, over the borders of its spans.
  #mark(element) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const starts = [];
    let text = '';
    while (walker.nextNode()) {
      starts.push([text.length, walker.currentNode]);
      text += walker.currentNode.data;
    }
    let i = 0;
    const place = (at) => {
      while (i + 1 < starts.length && starts[i + 1][0] <= at) i++;
      return [starts[i][1], at - starts[i][0]];
    };
    for (const { 0: match, index } of text.matchAll(this.#wanted)) {
      if (!match || highlight.size >= MARKS) continue;
      const range = new Range();
      range.setStart(...place(index));
      range.setEnd(...place(index + match.length - 1));
      range.setEnd(range.endContainer, range.endOffset + 1);
      highlight.add(range);
    }
  }

  #say() {
    const { length } = this.#found;
    const at = this.#has(this.#current) ? this.#found.indexOf(this.#current) + 1 : 0;
    const text = this.#wanted === null ? '' : at ? `${count(at)} of ${count(length)}` : length ? `${count(length)} found` : 'none found';
    if (this.#output.textContent !== text) this.#output.textContent = text;
  }
}
