// Saved messages and scripts, in the rail. They are stored in the browser, and can be
// exported to a file.

import { element } from '../log/portions.js';
import { loadList, save } from '../storage.js';
import { parse, run } from './script.js';

const KEY = 'wspipe.saved';

export class Saved {
  #parts;
  #page;
  #texts = loadList(KEY, (text) => typeof text === 'string');

  // parts are the elements saved, savedList, saveMessage, savedExport, savedImport and
  // savedFile. page has composer, active (the Pane in use), note(text) and railChanged().
  constructor(parts, page) {
    this.#parts = parts;
    this.#page = page;
    parts.saveMessage.addEventListener('click', () => this.#add(page.composer.text));
    parts.savedExport.addEventListener('click', () => this.#export());
    parts.savedImport.addEventListener('click', () => parts.savedFile.click());
    parts.savedFile.addEventListener('change', () => this.#import(parts.savedFile.files[0]));
    this.#show();
  }

  #add(text) {
    if (!text) return this.#page.note('There is no message to save.');
    try {
      parse(text);
    } catch (error) {
      return this.#page.note(`Not saved: ${error.message}`);
    }
    this.#change([...this.#texts.filter((other) => other !== text), text]);
    this.#page.note('Saved.');
  }

  #change(texts) {
    this.#texts = texts;
    if (!save(KEY, JSON.stringify(texts))) this.#page.note('The browser does not let this page store anything: it is saved until the page is closed.');
    this.#show();
  }

  #show() {
    this.#parts.savedList.replaceChildren(...this.#texts.map((text) => this.#item(text)));
    this.#parts.saved.hidden = !this.#texts.length;
    this.#page.railChanged();
  }

  #item(text) {
    let script = null;
    try {
      script = parse(text);
    } catch {
      // It is shown as a message, to be corrected.
    }
    const use = element('button', 'plain', script ? `▶ ${script.name}` : text.split('\n')[0].slice(0, 40));
    use.type = 'button';
    use.addEventListener('click', () => script ? this.#run(script) : (this.#page.composer.text = text));
    const edit = element('button', 'plain', '✎'), remove = element('button', 'plain', '×');
    Object.assign(edit, { type: 'button', ariaLabel: `Edit ${use.textContent}`, hidden: !script });
    Object.assign(remove, { type: 'button', ariaLabel: `Delete ${use.textContent}` });
    edit.addEventListener('click', () => { this.#page.composer.text = text; });
    remove.addEventListener('click', () => this.#change(this.#texts.filter((other) => other !== text)));
    return element('li', '', use, edit, remove);
  }

  async #run({ name, steps }) {
    this.#page.note(`${name} is running.`);
    try {
      await run(steps, this.#page.active);
      this.#page.note(`${name} is done.`);
    } catch (error) {
      this.#page.note(`${name} stopped: ${error.message}`);
    }
  }

  #export() {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(this.#texts, null, 2)}\n`], { type: 'application/json' }));
    link.download = 'wspipe-messages.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari reads it late
  }

  async #import(file) {
    this.#parts.savedFile.value = '';
    try {
      const texts = JSON.parse(await file.text());
      if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) throw new Error('it is no list of texts.');
      this.#change([...new Set([...this.#texts, ...texts])]);
    } catch (error) {
      this.#page.note(`${file.name} cannot be imported: ${error.message}`);
    }
  }
}
