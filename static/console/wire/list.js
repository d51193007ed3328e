// The list of what one client's connections have on the wire.

import { element } from '../log/portions.js';
import { LogView } from '../log/view.js';
import { lineOf, newRow } from './row.js';

export class WireList {
  #trace;
  #settings;
  #view;
  #log = element('div', 'frames');
  #note = element('p', 'hint');
  #action = element('button', '', 'Reconnect');
  #held = null; // the Store that is shown while the log is held
  #chosen = -1; // the number of an entry
  #choose;

  root = element('div', 'wire-list');

  // trace is a Trace, settings are those of all logs. choose(entry, field) is called for
  // what the user clicks on, reconnect() for the button beside a note.
  constructor(trace, settings, { choose, reconnect }) {
    this.#trace = trace;
    this.#settings = settings;
    this.#choose = choose;
    const jump = element('button', 'jump'), window = element('div', 'panel', this.#log, jump);
    jump.type = this.#action.type = 'button';
    jump.hidden = true;
    Object.assign(this.#log, { tabIndex: 0, role: 'group', ariaLabel: 'Frames' });
    const status = element('div', 'wire-note', this.#note, this.#action);
    this.#note.role = 'status';
    this.root.append(status, window);
    this.#action.addEventListener('click', reconnect);
    this.#view = new LogView(trace.store, this.#log, jump, (entry) => newRow(entry, entry.number === this.#chosen), () => false);
    this.#log.addEventListener('click', ({ target }) => {
      const row = target.closest('.row');
      if (row) this.#pick(row.number, target.closest('[data-field]')?.dataset.field);
    });
    this.#log.addEventListener('keydown', ({ key, target }) => { if (key === 'i' && target === this.#log) this.#pick(this.#source.next - 1); });
    settings.add(this);
  }

  // update shows new lines.
  update() {
    this.#trace.seen();
    this.#view.update();
  }

  // moved follows a move to another place of the page.
  moved() {
    this.#view.follow();
    this.update();
  }

  // say shows a note above the list; canReconnect adds a button for that.
  say(text, canReconnect) {
    if (this.#note.textContent !== text) this.#note.textContent = text;
    this.#note.parentElement.hidden = !text;
    this.#action.hidden = !canReconnect;
  }

  // step chooses the next line (1) or the previous one (-1).
  step(by) {
    const shown = [...this.#view.from(this.#source.first)].map(({ number }) => number);
    const to = shown[shown.indexOf(this.#chosen) + by];
    if (to === undefined) return;
    this.#pick(to);
    this.#view.reveal(to, 'nearest');
  }

  clear() {
    this.#trace.store.clear();
    this.hold(Boolean(this.#held));
  }

  // refilter, hold and redraw follow changes of settings.
  refilter() {
    const { wanted } = this.#settings;
    this.#view.filter = wanted && ((entry) => wanted({ data: lineOf(entry) }));
  }

  hold(on) {
    this.#held = on ? this.#trace.store.snapshot() : null;
    this.#view.source = this.#source;
  }

  redraw() { this.#view.refresh(); }

  get #source() { return this.#held ?? this.#trace.store; }

  #pick(number, field) {
    const entry = this.#source.get(number);
    if (!entry) return;
    const before = this.#chosen;
    this.#chosen = number;
    for (const row of this.#view.rows()) if (row.number === before || row.number === number) row.ariaCurrent = row.number === number ? 'true' : null;
    this.#choose(entry, field);
  }
}
