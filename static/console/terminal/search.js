// Find in the terminal, and its scrollback.

import { SearchAddon } from '../../vendor/xterm/addon-search.mjs';
import { count } from '../format.js';
import { decorations, onSchemeChange } from './theme.js';

const $ = (id) => document.getElementById(`terminal-search${id}`);

export class Search {
  #addon = new SearchAddon();
  #terminal;

  constructor(terminal) {
    this.#terminal = terminal;
    terminal.loadAddon(this.#addon);
    this.#addon.onDidChangeResults((results) => this.#counts(results));
    $('').addEventListener('input', () => this.#find('findNext', true));
    $('').addEventListener('keydown', (event) => this.#key(event));
    $('-next').addEventListener('click', () => this.#find('findNext'));
    $('-previous').addEventListener('click', () => this.#find('findPrevious'));
    onSchemeChange(() => this.#find('findNext', true));
  }

  // An incremental search stays at what it has found if that still fits.
  #find(method, incremental = false) {
    if ($('').value) this.#addon[method]($('').value, { incremental, decorations: decorations() });
    else {
      this.#addon.clearDecorations();
      this.#terminal.clearSelection();
      $('-count').value = '';
    }
  }

  #key(event) {
    if (event.key === 'Enter') this.#find(event.shiftKey ? 'findPrevious' : 'findNext');
    else if (event.key === 'Escape') {
      $('').value = '';
      this.#find('findNext');
      this.#terminal.focus();
    } else return;
    event.preventDefault();
  }

  // The addon marks 1000 at most, and has no number for one beyond.
  #counts({ resultIndex, resultCount }) {
    if (!$('').value) return;
    if (!resultCount) $('-count').value = 'none';
    else $('-count').value = resultIndex < 0 ? count(resultCount) : `${count(resultIndex + 1)} of ${count(resultCount)}`;
  }
}
