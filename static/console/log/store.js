// The newest entries, in memory. An entry is known by its number since the page
// was loaded.

const KEEP = 10_000;
const KEEP_BYTES = 64 * 1024 * 1024; // bounds the memory for long messages

export class Store {
  #ring = new Array(KEEP);
  #bytes = 0;
  #cleared = 0; // the user has cleared the entries before this one

  first = 0; // number of the oldest entry that is kept
  next = 0; // number of the entry that comes next

  // add takes an entry, gives it its number and forgets the oldest if need be.
  add(entry) {
    if (this.next - this.first === KEEP) this.#drop();
    entry.number = this.next;
    this.#ring[this.next % KEEP] = entry;
    this.next++;
    this.#bytes += entry.size;
    while (this.#bytes > KEEP_BYTES && this.next - this.first > 1) this.#drop();
  }

  #drop() {
    const i = this.first % KEEP;
    this.#bytes -= this.#ring[i].size;
    this.#ring[i] = undefined;
    this.first++;
  }

  get(number) {
    return this.#ring[number % KEEP];
  }

  clear() {
    this.#ring.fill(undefined);
    this.#bytes = 0;
    this.first = this.#cleared = this.next;
  }

  // snapshot is a copy of the store for a held log.
  snapshot() {
    const copy = new Store();
    copy.#ring = this.#ring.slice();
    copy.first = this.first;
    copy.next = this.next;
    return copy;
  }

  get kept() {
    return this.next - this.first;
  }

  get dropped() {
    return this.first - this.#cleared;
  }

  *[Symbol.iterator]() {
    for (let n = this.first; n < this.next; n++) yield this.get(n);
  }
}
