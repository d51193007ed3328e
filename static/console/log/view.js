// The log on screen: what a Store holds and a filter lets through, brought up to
// date once per frame.

import { Chunk } from './chunk.js';
import { Follower } from './follower.js';

const FRAME = 8; // milliseconds of work that go unnoticed
const MARGIN = 800; // pixels out of sight in which rows exist
const HELD = 20; // blocks that a selection may keep from being emptied
const anchors = CSS.supports('overflow-anchor', 'auto'); // Safari moves what is read

export class LogView {
  #source;
  #log;
  #follower;
  #newRow;
  #rendered; // called after each frame; returns whether more is to be done
  #filter = null;
  #chunks = [];
  #next = 0; // number of the entry to look at next
  #far = new Set(); // filled blocks out of sight
  #near; // IntersectionObserver
  #height = 0; // of the window on the log; 0 while it is hidden
  #rowHeight = 19.5;
  #stale = false; // something came after the last frame
  #scheduled = false; // a frame is on its way

  shown = 0; // entries that are in the log now
  version = 0; // grows when rows are made

  // filter is null or says whether an entry is to be shown; newRow makes a row,
  // an element that has the entry's number; rendered(deadline) follows each frame.
  constructor(source, log, jump, newRow, rendered) {
    this.#source = source;
    this.#log = log;
    this.#newRow = (entry) => {
      this.version++;
      return newRow(entry);
    };
    this.#rendered = rendered;
    this.#near = new IntersectionObserver((changes) => this.#moved(changes), { root: log, rootMargin: `${MARGIN}px 0px` });
    this.#follower = new Follower(log, jump, () => this.#stick());
    // The newest row stays in sight when the window or the status changes.
    new ResizeObserver(() => {
      this.#height = log.clientHeight;
      this.#sweep();
      this.#stick();
    }).observe(log);
  }

  // update shows what the source holds in the next frame.
  update() {
    this.#stale = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#frame());
  }

  // source is the store, or the snapshot of a held log.
  set source(source) {
    this.#source = source;
    this.update();
  }

  set filter(filter) {
    this.#filter = filter;
    this.#forget(Infinity);
    this.#next = 0;
    this.follow();
    this.update();
  }

  // refresh makes the rows again, and keeps the top row in place.
  refresh() {
    const top = this.#follower.on ? null : this.#topRow()?.number;
    for (const chunk of this.#chunks) chunk.refresh();
    if (top != null) this.reveal(top, 'start');
    this.#stick();
    this.update();
  }

  // redraw makes the row of one entry again.
  redraw(number) {
    this.#inPlace(() => this.#chunks.find(({ entries }) => entries.at(-1).number >= number)?.redraw(number));
    this.#stick();
    this.update();
  }

  follow() {
    this.#follower.start();
  }

  // from yields the entries that are shown, from a number on.
  *from(number) {
    for (const { entries } of this.#chunks) {
      if (entries.at(-1).number < number) continue;
      for (const entry of entries) if (entry.number >= number) yield entry;
    }
  }

  // topNumber is the number of the entry at the top of the window.
  get topNumber() {
    return this.#topRow()?.number ?? 0;
  }

  // rows are those that exist.
  *rows() {
    for (const { filled, element } of this.#chunks) if (filled) yield* element.children;
  }

  // reveal scrolls to an entry that is shown, and stops following.
  reveal(number, block = 'center') {
    const chunk = this.#chunks.find(({ entries }) => entries.at(-1).number >= number);
    if (!chunk) return;
    chunk.fill();
    this.#follower.leave();
    chunk.row(number)?.scrollIntoView({ block });
    this.update();
  }

  #frame() {
    const start = performance.now();
    this.#stale = false;
    this.#inPlace(() => this.#render(start + FRAME));
    if (this.#rendered(start + FRAME)) this.#stale = true;
    const cost = performance.now() - start;
    // Under a flood, two thirds of the time are left to receiving and to the user.
    if (cost > FRAME) setTimeout(() => this.#ready(), 2 * cost);
    else this.#ready();
  }

  #ready() {
    this.#scheduled = false;
    if (this.#stale) this.update();
  }

  #render(deadline) {
    const { first, next } = this.#source;
    // Screen readers should not try to speak a flood, nor what scrolling brings.
    this.#log.ariaBusy = String(next - this.#next > 100);
    this.#log.ariaLive = this.#follower.on ? 'polite' : 'off';
    this.#forget(first);
    this.#next = Math.max(this.#next, first);
    this.#append(next, deadline);
    if (next === first) this.follow();
    this.#stick();
    this.#follower.show();
  }

  #forget(first) {
    for (let chunk; (chunk = this.#chunks[0]); ) {
      if (chunk.entries[0].number >= first) return;
      this.shown -= chunk.forget(first);
      if (chunk.entries.length) return;
      this.#near.unobserve(chunk.element);
      this.#far.delete(chunk);
      chunk.element.remove();
      this.#chunks.shift();
    }
  }

  #append(next, deadline) {
    let chunk = this.#chunks.at(-1);
    for (; this.#next < next; this.#next++) {
      if (this.#filter && performance.now() > deadline) {
        this.#stale = true;
        break;
      }
      const entry = this.#source.get(this.#next);
      if (this.#filter && !this.#filter(entry)) continue;
      if (!chunk || chunk.full) {
        chunk?.settle();
        chunk = new Chunk(this.#newRow);
        this.#chunks.push(chunk);
        this.#log.append(chunk.element);
        this.#near.observe(chunk.element);
      }
      chunk.add(entry, this.#rowHeight);
      this.shown++;
      this.#follower.total++;
    }
    chunk?.settle();
  }

  #moved(changes) {
    this.#inPlace(() => {
      for (const { target: { chunk }, isIntersecting } of changes) {
        if (isIntersecting) this.#far.delete(chunk);
        else if (chunk.filled) this.#far.add(chunk);
      }
      this.#sweep();
      for (const { target, isIntersecting } of changes) if (isIntersecting && target.isConnected) target.chunk.fill();
      this.#stick();
    });
    this.update();
  }

  // sweep empties chunks that are far away, except those with the focus or a selection.
  #sweep() {
    if (!this.#height) return;
    const selection = getSelection();
    const held = ({ element }) => element.contains(document.activeElement) || (!selection.isCollapsed && this.#far.size < HELD && selection.containsNode(element, true));
    const chunks = [...this.#far].filter((chunk) => !held(chunk));
    const heights = chunks.map(({ element }) => element.getBoundingClientRect().height); // all before the first change
    for (const [i, chunk] of chunks.entries()) {
      this.#far.delete(chunk);
      if (!chunk.filled) continue;
      chunk.empty(heights[i]);
      this.#rowHeight = heights[i] / chunk.entries.length;
    }
  }

  #stick() {
    if (!this.#follower.on || !this.#height) return;
    let height = 0; // at least
    for (const chunk of this.#chunks.toReversed()) {
      if (height < this.#height) chunk.fill();
      // Under a flood the observer is late.
      else if (chunk.filled && height > this.#height + 2 * MARGIN) this.#far.add(chunk);
      height += chunk.entries.length * 19;
    }
    this.#sweep();
    this.#follower.toEnd();
  }

  // inPlace makes a change that leaves what is read where it is.
  #inPlace(change) {
    const row = anchors || this.#follower.on ? null : this.#topRow();
    const before = row?.getBoundingClientRect().top;
    change();
    if (row?.isConnected) this.#log.scrollTop += row.getBoundingClientRect().top - before;
  }

  #topRow() {
    const { left, top, width } = this.#log.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + 8)?.closest('.row');
  }
}
