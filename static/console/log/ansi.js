// Text with the colours and weights that a program gave it (ECMA-48 SGR). All
// other escape sequences do nothing but show.

import { visible } from '../format.js';
import { indexed, paint } from './color.js';
import { linked } from './links.js';
import { element } from './portions.js';

const SGR = /\x1b\[([\d;:]*)m/g;
const flags = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike', 21: 'underline' };
const offs = { 22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['strike'] };

export class Ansi {
  #style = {};

  // take returns a node for text, and how much of it: a sequence that is cut at
  // its end is left for the next portion, unless this is the last.
  take(text, last) {
    const cut = last ? -1 : text.search(/\x1b(\[[\d;:]*)?$/);
    if (cut > 0) text = text.slice(0, cut);
    // Most texts have no colours.
    if (!text.includes('\x1b[') && !this.#styled) return [linked(visible(text)), text.length];
    const made = document.createDocumentFragment();
    let from = 0;
    for (const { 0: sequence, 1: parameters, index } of text.matchAll(SGR)) {
      this.#put(made, text.slice(from, index));
      this.#set(parameters);
      from = index + sequence.length;
    }
    this.#put(made, text.slice(from));
    return [made, text.length];
  }

  get #styled() {
    return Object.keys(this.#style).length > 0;
  }

  #put(parent, text) {
    if (!text) return;
    const shown = linked(visible(text));
    if (!this.#styled) return parent.append(shown);
    const { fore, back, dim, inverse, ...looks } = this.#style;
    const span = element('span', Object.keys(looks).join(' '), shown);
    if (fore || back || dim || inverse) paint(span, fore, back, dim, inverse);
    parent.append(span);
  }

  #set(parameters) {
    const list = parameters.split(';');
    for (let i = 0; i < list.length; i++) {
      const [code, ...sub] = list[i].split(':').map(Number);
      const style = this.#style;
      if (code === 0) this.#style = {};
      else if (code === 4 && sub[0] === 0) delete style.underline;
      else if (flags[code]) style[flags[code]] = true;
      else if (offs[code]) for (const flag of offs[code]) delete style[flag];
      else if (code === 38 || code === 48) {
        // 38;5;N and 38;2;R;G;B, also with colons, and then a colour space before R.
        const values = sub.length ? sub : list.slice(i + 1, i + 5).map(Number);
        const wide = values[0] === 2;
        if (!sub.length) i += wide ? 4 : 2;
        const color = wide ? values.slice(sub.length > 4 ? 2 : 1).slice(0, 3) : indexed(values[1]);
        if (color?.length === 3 && color.every((c) => c >= 0 && c < 256)) style[code === 38 ? 'fore' : 'back'] = [color, color];
      } else if (code === 39) delete style.fore;
      else if (code === 49) delete style.back;
      else {
        const tens = Math.floor(code / 10);
        const n = (code % 10) + (tens > 5 ? 8 : 0);
        if ([3, 4, 9, 10].includes(tens) && code % 10 < 8) style[tens % 2 ? 'fore' : 'back'] = [indexed(n), indexed(n)];
      }
    }
  }
}

