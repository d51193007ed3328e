// What can be done with the logs: filter and hold them all; search, copy and save
// the one in use.

import { copy } from '../copy.js';
import { count, plural } from '../format.js';
import { load, save as store } from '../storage.js';
import { lines, ndjson, save, text } from './export.js';
import { condition, watch } from './filter.js';
import { formatted, narrow } from './payload.js';
import { plain } from './row.js';
import { Search } from './search.js';

const PLAIN = 'wspipe.plain', TIME = 'wspipe.time';

export class Tools {
  #parts;
  #settings;
  #panel; // the LogPanel in use
  #search;
  #note;
  #wanted = null; // what the filter asks for, a function of an entry
  #kind = ''; // of the entries that are shown

  // parts are the elements of the tools, settings those of all logs.
  constructor(parts, settings, panel, note) {
    this.#parts = parts;
    this.#settings = settings;
    this.#panel = panel;
    this.#note = note;
    const { search, searchPrevious, searchNext, searchCount } = parts;
    this.#search = new Search(panel.view, { field: search, previous: searchPrevious, next: searchNext, output: searchCount }, note);
    settings.after = (of, deadline) => of === this.#panel && this.#search.frame(of.first, deadline);
    this.#filtering();
    this.#finding();
    this.#looks();
    parts.pause.addEventListener('click', () => this.#hold(!settings.held));
    parts.clear.addEventListener('click', () => this.#panel.clear());
    this.#exports();
  }

  // use makes panel the one in use.
  use(panel) {
    if (panel === this.#panel) return;
    this.#panel = panel;
    this.#search.view = panel.view;
  }

  // kept says how many entries there are.
  get kept() {
    const { kept, all, shown, dropped, waiting } = this.#panel.numbers;
    const parts = [this.#settings.filter ? `${count(shown)} of ${plural(kept, 'entry', 'entries')}` : plural(all, 'entry', 'entries')];
    if (dropped) parts.push(`${count(dropped)} older dropped`);
    if (waiting >= 0) parts.push(`held, ${count(waiting)} new`);
    return parts.join(' · ');
  }

  find() {
    this.#parts.findBar.hidden = false;
    this.#parts.search.select();
  }

  #filtering() {
    const { filter, show } = this.#parts;
    watch(filter, this.#note, (wanted) => {
      this.#wanted = wanted;
      this.#filter();
    }, condition);
    show.addEventListener('click', ({ target }) => {
      const chosen = target.closest('[data-show]');
      if (!chosen) return;
      for (const button of show.children) button.ariaPressed = String(button === chosen);
      this.#kind = chosen.dataset.show === 'wire' ? '' : chosen.dataset.show;
      this.#filter();
    });
  }

  #filter() {
    const kind = this.#kind, wanted = this.#wanted;
    this.#settings.set({ wanted, filter: kind || wanted ? (entry) => (!kind || kindOf(entry) === kind) && (!wanted || wanted(entry)) : null });
    this.#search.reset();
  }

  #finding() {
    const { find, findBar, findClose, search, centre } = this.#parts;
    find.addEventListener('click', () => this.find());
    const close = () => {
      search.value = '';
      search.dispatchEvent(new Event('input'));
      findBar.hidden = true;
      this.#panel.focus();
    };
    findClose.addEventListener('click', close);
    findBar.addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
    centre.addEventListener('keydown', (event) => {
      if (event.key !== '/' || event.ctrlKey || event.altKey || event.metaKey || !event.target.closest('[role="log"]') || event.target.matches('input')) return;
      event.preventDefault();
      this.find();
    });
  }

  #looks() {
    const { render, time, wrap, panes } = this.#parts;
    const use = () => this.#settings.set({ payload: render.value === 'plain' ? plain : formatted });
    render.value = load(PLAIN) === 'yes' ? 'plain' : 'formatted';
    render.addEventListener('change', () => {
      store(PLAIN, render.value === 'plain' ? 'yes' : 'no');
      use();
    });
    narrow.addEventListener('change', use);
    const useTime = () => this.#settings.set({ time: time.value });
    time.value = load(TIME) ?? 'clock';
    if (!time.value) time.value = 'clock';
    time.addEventListener('change', () => {
      store(TIME, time.value);
      useTime();
    });
    useTime();
    use();
    wrap.addEventListener('change', () => panes.classList.toggle('unwrapped', !wrap.checked));
  }

  #hold(on) {
    this.#settings.set({ held: on });
    this.#parts.pause.ariaPressed = String(on);
    this.#parts.pause.textContent = on ? 'Resume' : 'Hold';
  }

  #exports() {
    const note = this.#note;
    const some = (entries) => plural(entries.length, 'entry', 'entries');
    this.#parts.copy.addEventListener('click', async () => {
      const entries = this.#panel.shown;
      note((await copy(text(entries))) ? `Copied ${some(entries)}.` : 'The browser does not let this page copy.');
    });
    const saving = async (...how) => {
      const entries = this.#panel.shown;
      await save(entries, ...how);
      note(`Saved ${some(entries)}.`);
    };
    this.#parts.saveText.addEventListener('click', () => saving(lines, 'text/plain', 'txt'));
    this.#parts.saveNdjson.addEventListener('click', () => saving(ndjson, 'application/x-ndjson', 'ndjson'));
  }
}

const kindOf = ({ kind, channel }) => channel === 'stderr' ? channel : kind;
