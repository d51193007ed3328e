// The view of messages: the log. What can be done with it is in tools.js.

import { count, plural } from '../format.js';
import { newRow, plain } from './row.js';
import { Store } from './store.js';
import { Tools } from './tools.js';
import { LogView } from './view.js';

const $ = (id) => document.getElementById(id);

export class LogPanel {
  #store = new Store();
  #paused = null; // the Store that is shown during a pause
  #filter = null; // says whether an entry is shown; null if all are
  #payload = plain;
  #tools;
  #view = new LogView(this.#store, $('log'), $('jump'), (entry) => newRow(entry, this.#payload), (deadline) => this.#frame(deadline));

  constructor(note) {
    $('pause').addEventListener('click', () => this.#pause(!this.#paused));
    $('clear').addEventListener('click', () => {
      this.#store.clear();
      if (this.#paused) this.#pause(true);
      this.#view.update();
    });
    this.#tools = new Tools(this, this.#view, note);
    this.#view.update();
  }

  // add takes an entry of Connection, or one of kind 'event' whose data is what happened.
  add(entry) {
    this.#store.add(entry);
    this.#view.update();
  }

  // next is the number of the entry that comes next.
  get next() { return this.#store.next; }

  // since yields the entries from a number on, as far as they are kept.
  *since(number) {
    for (let n = Math.max(number, this.#store.first); n < this.#store.next; n++) yield this.#store.get(n);
  }

  follow() { this.#view.follow(); }

  // shown is a list of the entries that the user is shown.
  get shown() {
    const entries = [...this.#source];
    return this.#filter ? entries.filter(this.#filter) : entries;
  }

  set filter(filter) {
    this.#filter = filter;
    this.#view.filter = filter;
  }

  // payload fills the last cell of a row: see newRow.
  set payload(payload) {
    this.#payload = payload;
    this.#view.refresh();
  }

  #pause(on) {
    this.#paused = on ? this.#store.snapshot() : null;
    $('pause').textContent = on ? 'Resume' : 'Pause';
    this.#view.source = this.#source;
  }

  get #source() { return this.#paused ?? this.#store; }

  #frame(deadline) {
    const { kept, dropped, next } = this.#store;
    const { shown } = this.#view;
    const parts = [this.#filter ? `${count(shown)} of ${plural(this.#source.kept, 'entry', 'entries')}` : plural(kept, 'entry', 'entries')];
    if (dropped) parts.push(`${count(dropped)} older dropped`);
    if (this.#paused) parts.push(`paused, ${count(next - this.#paused.next)} new`);
    $('kept').textContent = parts.join(' · ');
    $('empty').hidden = shown > 0;
    if (!shown) $('empty').textContent = kept && this.#filter ? 'No entry passes the filter.' : 'Nothing yet. What the program says appears here, and what you send.';
    return this.#tools.frame(this.#source.first, deadline);
  }
}
