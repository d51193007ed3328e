// The size of text and the theme, for the log as for the terminal.

import { load, save } from './storage.js';

const FONT = 'wspipe.console.font', THEME = 'wspipe.theme';
const SMALLEST = 8, LARGEST = 32, USUAL = 14; // px

const system = matchMedia('(prefers-color-scheme: dark)');

export class Look extends EventTarget {
  #parts;
  #size = clamp(Number(load(FONT)) || USUAL);

  // parts are the elements fontSmaller, fontLarger, fontSize and theme. There are
  // events "size" and "theme".
  constructor(parts) {
    super();
    this.#parts = parts;
    parts.fontSmaller.addEventListener('click', () => this.#resize(this.#size - 1));
    parts.fontLarger.addEventListener('click', () => this.#resize(this.#size + 1));
    parts.theme.addEventListener('click', () => {
      save(THEME, this.dark ? 'light' : 'dark');
      this.#paint(!this.dark);
    });
    system.addEventListener('change', () => { if (!load(THEME)) this.#paint(system.matches); });
    this.#show();
  }

  // size is that of text in the terminal, in px. The log's is one less.
  get size() { return this.#size; }
  get dark() { return document.documentElement.dataset.theme === 'dark'; }

  #resize(size) {
    this.#size = clamp(size);
    save(FONT, this.#size);
    this.#show();
    this.dispatchEvent(new Event('size'));
  }

  #paint(dark) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    this.#show();
    this.dispatchEvent(new Event('theme'));
  }

  #show() {
    const { fontSmaller, fontLarger, fontSize, theme } = this.#parts;
    document.documentElement.style.setProperty('--size', `${this.#size - 1}px`);
    fontSize.value = `${this.#size} px`;
    fontSmaller.disabled = this.#size === SMALLEST;
    fontLarger.disabled = this.#size === LARGEST;
    theme.ariaPressed = String(this.dark);
  }
}

const clamp = (n) => Math.min(Math.max(Math.round(n), SMALLEST), LARGEST);
