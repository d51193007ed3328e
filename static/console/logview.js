// The log on screen: rows for the entries of a Store, written once per frame.

import { bytes, clock, count, cut, plural, visible } from './format.js';

const CHUNK = 100; // rows per block; browsers skip blocks that are out of sight
const HEAD = 4_000; // characters shown of a long message,
const MORE = 200_000; // and how many more each time the user asks
const FRAME = 8; // milliseconds of rendering that go unnoticed

export class LogView {
  #store;
  #log;
  #jump;
  #rendered; // called after each frame
  #first = 0; // numbers of the entries that have rows: first up to next
  #next = 0;
  #stale = false; // something came after the last frame
  #scheduled = false; // a frame is on its way
  #paused = false;
  #following = true;
  #top = 0; // last scroll position
  #seen = 0; // the next entry when following ended

  constructor(store, log, jump, rendered) {
    this.#store = store;
    this.#log = log;
    this.#jump = jump;
    this.#rendered = rendered;
    log.addEventListener('scroll', () => this.#scrolled());
    jump.addEventListener('click', () => {
      this.follow();
      log.focus();
    });
    // The newest row stays in sight when the window or the status changes.
    new ResizeObserver(() => this.#stick()).observe(log);
  }

  // update shows what the store holds by now, soon.
  update() {
    this.#stale = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#frame());
  }

  set paused(on) {
    this.#paused = on;
    this.update();
  }

  // waiting is how many entries came during a pause.
  get waiting() {
    return this.#paused ? this.#store.next - this.#next : 0;
  }

  // clear shows an emptied store, also during a pause.
  clear() {
    this.#render();
    this.update();
  }

  follow() {
    this.#following = true;
    this.#stick();
    this.#showJump();
  }

  #frame() {
    const start = performance.now();
    this.#stale = false;
    if (!this.#paused) this.#render();
    this.#rendered();
    const cost = performance.now() - start;
    // Under a flood, two thirds of the time are left to receiving and to the user.
    if (cost > FRAME) setTimeout(() => this.#ready(), 2 * cost);
    else this.#ready();
  }

  #ready() {
    this.#scheduled = false;
    if (this.#stale) this.update();
  }

  #render() {
    const { first, next } = this.#store;
    // Screen readers should not try to speak a flood.
    this.#log.ariaBusy = String(next - this.#next > CHUNK);
    this.#removeBefore(first);
    if (this.#next < first) this.#first = this.#next = first;
    this.#append(next);
    if (next === first) this.follow();
    this.#stick();
    this.#showJump();
  }

  #removeBefore(first) {
    for (let chunk; this.#first < first && (chunk = this.#log.firstElementChild); ) {
      const rows = chunk.childElementCount;
      const gone = Math.min(rows, first - this.#first);
      if (gone === rows) chunk.remove();
      else for (let i = 0; i < gone; i++) chunk.firstElementChild.remove();
      this.#first += gone;
    }
  }

  #append(next) {
    while (this.#next < next) {
      // A chunk ends at a multiple of CHUNK, however many of its rows are left.
      if (this.#next % CHUNK === 0 || !this.#log.lastElementChild) this.#log.append(element('div', 'chunk'));
      const end = Math.min(next, this.#next - (this.#next % CHUNK) + CHUNK);
      const rows = document.createDocumentFragment();
      for (; this.#next < end; this.#next++) rows.append(newRow(this.#store.get(this.#next)));
      this.#log.lastElementChild.append(rows);
    }
  }

  #scrolled() {
    const top = this.#log.scrollTop;
    const below = this.#log.scrollHeight - this.#log.clientHeight - top;
    const was = this.#following;
    // Going down near the end is enough to follow again, as the end moves on;
    // going up by the least amount is enough to stop.
    if (below < 2 || (top > this.#top && below < 40)) this.#following = true;
    else if (top < this.#top) this.#following = false;
    this.#top = top;
    if (was && !this.#following) this.#seen = this.#next;
    this.#showJump();
  }

  #stick() {
    if (!this.#following) return;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#top = this.#log.scrollTop;
  }

  #showJump() {
    const fresh = this.#next - this.#seen;
    this.#jump.hidden = this.#following;
    this.#jump.textContent = fresh > 0 ? `${count(fresh)} new – jump to newest` : 'Jump to newest';
  }
}

const pattern = element('div', 'row');
pattern.append(element('time'), element('span', 'size'), element('span', 'text'));

function newRow({ kind, at, size, text, binary, hex }) {
  const row = pattern.cloneNode(true);
  const [timeCell, sizeCell, textCell] = row.children;
  row.className = `row ${kind}${binary ? ' binary' : ''}${hex ? ' hex' : ''}`;
  timeCell.textContent = clock(at);
  if (kind !== 'event') sizeCell.textContent = bytes(size);
  const head = cut(text, 0, HEAD);
  textCell.textContent = visible(head);
  if (head.length < text.length) textCell.append(moreButton(text, head.length));
  return row;
}

// moreButton shows a long message bit by bit: a line of a hundred megabytes
// would stop the browser.
function moreButton(text, shown) {
  const button = element('button', 'more');
  const label = () => (button.textContent = `Show more of ${plural(text.length - shown, 'character')}`);
  button.addEventListener('click', () => {
    const part = cut(text, shown, MORE);
    shown += part.length;
    button.before(visible(part));
    if (shown < text.length) label();
    else button.remove();
  });
  label();
  return button;
}

function element(name, className = '') {
  return Object.assign(document.createElement(name), { className });
}
