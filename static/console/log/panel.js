// The log of one client.

import { copyRows } from './copy-rows.js';
import { newRow } from './row.js';
import { Store } from './store.js';
import { LogView } from './view.js';

const BUDGET = 1 << 20; // bytes that may come between two frames before the server is asked to pause

export class LogPanel {
  #parts;
  #settings;
  #on;
  #store = new Store();
  #held = null; // the Store that is shown while the log is held
  #view;
  #unseen = 0; // bytes since the last frame
  #startedAt = Date.now(); // of the connection
  #lastAt = 0; // of the entry before

  // parts are the elements log, jump, empty and emptyText; settings is the Settings of
  // all logs. on has again(), for the button of an end's card, token(token), for its form, hold() and release(), to
  // pause the server while it is too fast, inspect(entry, previous), and shown() after
  // each frame.
  constructor(parts, settings, on) {
    this.#parts = parts;
    this.#settings = settings;
    this.#on = on;
    this.#view = new LogView(this.#store, parts.log, parts.jump, (entry) => newRow(entry, settings), (deadline) => this.#frame(deadline));
    parts.log.addEventListener('click', ({ target }) => { if (target.closest('.again')) on.again(); });
    parts.log.addEventListener('submit', (event) => {
      event.preventDefault();
      on.token(event.target.querySelector('input').value);
    });
    parts.log.addEventListener('click', ({ target }) => { if (target.closest('time')) this.#inspect(target.closest('.row').number); });
    parts.log.addEventListener('keydown', ({ key, target }) => { if (key === 'i' && target === parts.log) this.#inspect(this.#store.next - 1); });
    parts.log.addEventListener('copy', (event) => copyRows(event, parts.log));
    document.addEventListener('visibilitychange', () => this.#release());
    settings.add(this);
  }

  get view() { return this.#view; }

  // add takes an entry of Connection, or one of kind 'event' whose data is what happened.
  add(entry) {
    entry.sinceStart = entry.at - this.#startedAt;
    entry.sinceLast = this.#lastAt ? entry.at - this.#lastAt : 0;
    this.#lastAt = entry.at;
    this.#store.add(entry);
    this.#view.update();
    this.#unseen += entry.size;
    // A browser queues all that the server sends, and cannot be told to stop.
    if (this.#unseen > BUDGET && !document.hidden) this.#on.hold();
  }

  // begin starts the clock of a connection.
  begin() {
    this.#startedAt = Date.now();
  }

  // update changes the card of an entry, and shows it.
  update(entry, change) {
    change(entry.card);
    this.#view.redraw(entry.number);
  }

  // next is the number of the entry that comes next.
  get next() { return this.#store.next; }

  // since yields the entries from a number on, as far as they are kept.
  *since(number) {
    for (let n = Math.max(number, this.#store.first); n < this.#store.next; n++) yield this.#store.get(n);
  }

  // askToken takes the user to the form of the last card, and reports whether it is seen.
  askToken() {
    const field = [...this.#parts.log.querySelectorAll('.token input')].at(-1);
    field?.focus();
    return document.activeElement === field;
  }

  follow() { this.#view.follow(); }
  focus() { this.#parts.log.focus(); }

  clear() {
    this.#store.clear();
    if (this.#held) this.#held = this.#store.snapshot();
    this.#view.source = this.#source;
  }

  // shown is a list of the entries that the user is shown.
  get shown() {
    const entries = [...this.#source];
    return this.#settings.filter ? entries.filter(this.#settings.filter) : entries;
  }

  // numbers of entries: those kept, those shown, those dropped, and those that came
  // while the log is held, or -1.
  get numbers() {
    return {
      kept: this.#source.kept, all: this.#store.kept, shown: this.#view.shown, dropped: this.#store.dropped,
      waiting: this.#held ? this.#store.next - this.#held.next : -1,
    };
  }

  // first is the number of the oldest entry that is shown.
  get first() { return this.#source.first; }

  // refilter and redraw follow changes of settings.
  refilter() { this.#view.filter = this.#settings.filter; }
  redraw() { this.#view.refresh(); }

  hold(on) {
    this.#held = on ? this.#store.snapshot() : null;
    this.#view.source = this.#source;
  }

  set emptyText(text) {
    if (this.#parts.emptyText.textContent !== text) this.#parts.emptyText.textContent = text;
  }

  get #source() { return this.#held ?? this.#store; }

  // inspect shows the last message up to a number.
  #inspect(number) {
    const source = this.#source, isMessage = (entry) => entry && entry.kind !== 'event';
    while (number >= source.first && !isMessage(source.get(number))) number--;
    const entry = source.get(number);
    if (!isMessage(entry)) return;
    do number--; while (number >= source.first && source.get(number)?.kind !== entry.kind);
    this.#on.inspect(entry, number >= source.first ? source.get(number) : null);
  }

  #frame(deadline) {
    this.#parts.empty.hidden = this.#view.shown > 0;
    this.#release();
    this.#on.shown();
    return this.#settings.rendered(this, deadline);
  }

  #release() {
    this.#unseen = 0;
    this.#on.release();
  }
}
