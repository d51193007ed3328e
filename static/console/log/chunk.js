// A block of the log, whose rows exist only near what is seen: its element keeps
// their height meanwhile, so that the scrollbar does not jump.

const ROWS = 100;
const BYTES = 64 * 1024; // a block is ready within a frame, even if its messages are long

export class Chunk {
  entries = [];
  element = document.createElement('div');
  filled = false;
  #newRow; // makes the row of an entry
  #weight = 0;
  #height = 0; // of an empty block

  constructor(newRow) {
    this.#newRow = newRow;
    this.element.className = 'chunk';
    this.element.chunk = this;
  }

  get full() {
    return this.entries.length >= ROWS || this.#weight > BYTES;
  }

  // add takes an entry, and how high its row is likely to be. Once the last has
  // been added, settle must be called.
  add(entry, height) {
    this.entries.push(entry);
    this.#weight += entry.size;
    if (this.filled) this.element.append(this.#newRow(entry));
    else this.#height += height;
  }

  settle() {
    this.element.style.height = this.filled ? '' : `${this.#height}px`;
  }

  fill() {
    if (this.filled) return;
    this.filled = true;
    const rows = document.createDocumentFragment();
    for (const entry of this.entries) rows.append(this.#newRow(entry));
    this.element.append(rows);
    this.settle();
  }

  // empty removes the rows, and keeps their height.
  empty(height) {
    this.#height = height;
    this.filled = false;
    this.element.replaceChildren();
    this.settle();
  }

  // refresh makes the rows again.
  refresh() {
    if (!this.filled) return;
    this.element.replaceChildren();
    this.filled = false;
    this.fill();
  }

  // forget drops the entries before number first, and returns how many.
  forget(first) {
    const { entries } = this;
    let dropped = 0;
    while (dropped < entries.length && entries[dropped].number < first) dropped++;
    if (this.filled) for (let i = 0; i < dropped; i++) this.element.firstElementChild.remove();
    else this.#height *= 1 - dropped / entries.length;
    entries.splice(0, dropped);
    this.settle();
    return dropped;
  }

  // redraw makes the row of an entry again, if it exists.
  redraw(number) {
    const at = this.entries.findIndex((entry) => entry.number === number);
    if (this.filled && at >= 0) this.element.children[at].replaceWith(this.#newRow(this.entries[at]));
  }

  // row is that of an entry, once filled.
  row(number) {
    return this.element.children[this.entries.findIndex((entry) => entry.number === number)];
  }
}
