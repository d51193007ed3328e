// The card of an end: what it means, the last lines of stderr, a form for the token that
// the server wants, and Run again.

import { visible } from '../format.js';
import { element } from './portions.js';

// cardOf returns what to show of an entry's card.
export function cardOf({ tone, title, detail, code = '', name = '', reason = '', causes = [], stderr = [], again, token }) {
  const card = element('div', 'card');
  card.dataset.tone = tone;
  const head = element('p', 'headline', element('strong', '', title));
  if (code) head.append(' · ', element('span', 'code', `close ${code}`), ' ', element('span', '', name));
  if (reason) head.append(', ', element('span', 'reason', `“${reason}”`));
  card.append(head, element('p', '', ...withFlags(detail)));
  if (causes.length) card.append(element('ul', 'causes', ...causes.map((cause) => element('li', '', ...withFlags(cause)))));
  if (stderr.length) card.append(element('pre', '', `stderr: ${visible(stderr.join('\n'))}`));
  if (token) card.append(tokenForm());
  if (again) {
    const button = element('button', 'again', 'Run again');
    button.type = 'button';
    button.title = 'Ctrl+Enter';
    card.append(button);
  }
  return card;
}

// tokenForm asks for the token that a server wants.
function tokenForm() {
  const field = element('input'), button = element('button', 'primary', 'Connect with this token'), form = element('form', 'token group', field, button);
  Object.assign(field, { type: 'password', autocomplete: 'off', placeholder: 'Token', ariaLabel: 'Token', required: true });
  form.autocomplete = 'off';
  return form;
}

// withFlags sets --flags in code, and what is in `backticks`: browsers break
// lines inside them otherwise, and a click selects the whole for a copy.
function withFlags(text) {
  return text.split(/(--[a-z][^\s;,)]*[^\s;,.)]|`[^`]+`)/).map((part, i) => {
    if (i % 2 === 0) return part;
    return element('code', '', part.startsWith('`') ? part.slice(1, -1) : part);
  });
}
