// The form for the parameters of an endpoint (--param): what is typed becomes part of
// the address.

import { parseAddress } from './address.js';
import { element } from './log/portions.js';

export class Parameters {
  #form;
  #changed;
  #shown = ''; // the declarations of the fields
  #fields = new Map(); // by name

  // form is the element to fill; changed(address) is called when the user has changed a
  // value, and connect() for Enter.
  constructor(form, changed, connect) {
    this.#form = form;
    this.#changed = changed;
    form.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      connect();
    });
  }

  // show shows the parameters of the endpoint of info, with the values that address has.
  show(info, address) {
    const parameters = info?.parameters ?? [], declared = JSON.stringify(parameters);
    this.#form.hidden = !parameters.length;
    if (declared !== this.#shown) {
      this.#shown = declared;
      this.#fields = new Map(parameters.map((parameter) => [parameter.name, field(parameter)]));
      this.#form.replaceChildren(...[...this.#fields].map(([name, input]) => element('label', '', `${name} `, input)));
    }
    const query = queryOf(address);
    for (const [name, input] of this.#fields) {
      input.oninput = () => {
        address = withParameter(address, name, input.value);
        this.#changed(address);
      };
      if (document.activeElement !== input) input.value = query.get(name) ?? input.dataset.usual;
    }
  }
}

function field({ type, default: usual, rule }) {
  const [, list] = /^one-of\((.*)\)$/s.exec(type) ?? [];
  const input = list ? element('select', '', ...list.split(',').map((value) => element('option', '', value))) : element('input');
  if (list && usual === null) input.prepend(element('option'));
  if (/^int/.test(type)) input.inputMode = 'numeric';
  input.title = rule;
  input.dataset.usual = usual ?? '';
  input.required = usual === null;
  return input;
}

function queryOf(address) {
  try {
    return new URL(parseAddress(address)).searchParams;
  } catch {
    return new URLSearchParams();
  }
}

function withParameter(address, name, value) {
  const url = new URL(parseAddress(address));
  url.searchParams.set(name, value);
  return url.href;
}
