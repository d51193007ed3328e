// "Use it from ...": this endpoint in other languages and tools, for the address,
// the subprotocol and the message that the user has just now.

import { copy } from '../copy.js';
import { parseAddress, parseSubprotocols, shown } from '../address.js';
import { element } from '../log/portions.js';
import { snippets } from './snippets.js';

const EXAMPLE = 'hello';

export class CodeView {
  #page;
  #choice = element('select');
  #code = element('pre');

  constructor(panel, page) {
    this.#page = page;
    this.#choice.ariaLabel = 'Use it from';
    for (const name of Object.keys(snippets)) this.#choice.append(element('option', '', name));
    this.#choice.addEventListener('change', () => this.show());
    this.#code.tabIndex = 0;
    const button = element('button', '', 'Copy code');
    button.type = 'button';
    button.addEventListener('click', async () => {
      page.note((await copy(this.#code.textContent)) ? 'Copied.' : 'The browser does not let this page copy.');
    });
    panel.append(element('h2', '', 'Use it from'), element('div', 'group', this.#choice, button), this.#code);
  }

  show() {
    const text = snippets[this.#choice.value](this.#use());
    if (this.#code.textContent !== text) this.#code.textContent = text;
  }

  // use is what the code is for.
  #use() {
    const { target, connection, info } = this.#page.active;
    let url = target.address;
    try {
      url = shown(parseAddress(target.address));
    } catch {
      // as it was typed
    }
    const typed = parseSubprotocols(target.subprotocols).filter((name) => name !== 'none');
    const { lastText } = connection;
    return { url, subprotocols: typed, token: Boolean(target.token), message: this.#page.composer.text || lastText || EXAMPLE, info };
  }
}
