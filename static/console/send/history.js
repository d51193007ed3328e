// The lines that were sent, kept over reloads like a shell's history.

import { loadList, save } from '../storage.js';

const KEY = 'wspipe.history';
const LIMIT = 100;
const LONGEST = 10_000; // a pasted file is no line to come back to, and storage is small

export class History {
  #lines = load();
  #at = this.#lines.length; // the line shown; past the last one is the draft
  #draft = '';

  // add remembers a line that was sent and goes back to the end.
  add(line) {
    this.#lines = load(this.#lines); // another tab may have added some
    if (line && line.length <= LONGEST && line !== this.#lines.at(-1)) {
      this.#lines = [...this.#lines, line].slice(-LIMIT);
      save(KEY, JSON.stringify(this.#lines));
    }
    this.#at = this.#lines.length;
    this.#draft = '';
  }

  // step returns the line one older (-1) or newer (+1) than the shown one, or
  // undefined where there is none. What was being typed comes back at the end.
  step(by, shown) {
    if (this.#at === this.#lines.length) this.#draft = shown;
    const to = this.#at + by;
    if (to < 0 || to > this.#lines.length) return undefined;
    this.#at = to;
    return this.#lines[to] ?? this.#draft;
  }
}

const load = (otherwise) => loadList(KEY, (line) => typeof line === 'string', otherwise).slice(-LIMIT);
