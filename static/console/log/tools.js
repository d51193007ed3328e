// What can be done with the log: filter it, search it, see payloads plain or
// formatted, copy and save it.

import { copy } from '../copy.js';
import { plural } from '../format.js';
import { lines, ndjson, save, text } from './export.js';
import { contains, watch } from './filter.js';
import { formatted, narrow } from './payload.js';
import { plain } from './row.js';
import { Search } from './search.js';

const $ = (id) => document.getElementById(id);
const PLAIN = 'wspipe.plain';

export class Tools {
  #panel;
  #search;
  #wanted = null; // what the filter asks for, a RegExp

  constructor(panel, view, note) {
    this.#panel = panel;
    this.#search = new Search(view, { field: $('search'), previous: $('search-previous'), next: $('search-next'), output: $('search-count') }, note);
    watch($('filter'), note, (wanted) => {
      this.#wanted = wanted;
      this.#filter();
    });
    $('direction').addEventListener('change', () => this.#filter());
    if ($('direction').value) this.#filter(); // kept by the browser over a reload
    $('log').addEventListener('keydown', (event) => {
      if (event.key !== '/' || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      $('search').select();
    });
    this.#rendering();
    this.#exports(note);
  }

  // frame follows each frame of the view: see Search.
  frame(first, deadline) {
    return this.#search.frame(first, deadline);
  }

  #filter() {
    const direction = $('direction').value;
    const wanted = this.#wanted;
    this.#panel.filter = direction || wanted ? (entry) => (!direction || entry.kind === direction) && (!wanted || contains(wanted, entry)) : null;
    this.#search.reset();
  }

  #rendering() {
    const choice = $('render');
    const use = () => { this.#panel.payload = choice.value === 'plain' ? plain : formatted; };
    choice.value = remembered() ? 'plain' : 'formatted';
    choice.addEventListener('change', () => {
      remember(choice.value === 'plain');
      use();
    });
    narrow.addEventListener('change', use);
    use();
  }

  #exports(note) {
    const some = (entries) => plural(entries.length, 'entry', 'entries');
    $('copy').addEventListener('click', async () => {
      const entries = this.#panel.shown;
      note((await copy(text(entries))) ? `Copied ${some(entries)}.` : 'The browser does not let this page copy.');
    });
    const saving = async (...how) => {
      const entries = this.#panel.shown;
      await save(entries, ...how);
      note(`Saved ${some(entries)}.`);
    };
    $('save-text').addEventListener('click', () => saving(lines, 'text/plain', 'txt'));
    $('save-ndjson').addEventListener('click', () => saving(ndjson, 'application/x-ndjson', 'ndjson'));
  }
}

// Storage can be forbidden: the choice then lives as long as the page.
function remembered() {
  try {
    return localStorage.getItem(PLAIN) === 'yes';
  } catch {
    return false;
  }
}

function remember(plain) {
  try {
    localStorage.setItem(PLAIN, plain ? 'yes' : 'no');
  } catch {
    // see remembered
  }
}
