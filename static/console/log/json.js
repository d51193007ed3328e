// JSON as it was sent, in colours: one line, which unfolds to a tree. No value is
// ever computed, so numbers keep their digits and doubled names are seen.

import { cut, plural, visible } from '../format.js';
import { element, inPortions, moreButton } from './portions.js';

const LONGEST = 1 << 20; // longer texts are not looked into
const LINE = 4_000; // characters of a folded line, of which
const BRIGHT = 300; // so many are coloured: hardly more can be seen
const OPEN = 2_000; // a text so short unfolds at once with
const LEVELS = 8; // so many levels
const PORTION = 100;

// isJSON says whether text is an object or array.
export function isJSON(text) {
  if (text.length > LONGEST || !/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// branch shows the JSON text of an entry, which remembers whether it is unfolded.
export function branch(text, entry) {
  const end = text.trimEnd().length;
  const box = container(text, { from: 0, start: text.search(/[[{]/), end }, LINE, end < OPEN ? LEVELS : 0);
  if (entry.open) box.unfold();
  box.addEventListener('toggle', () => { entry.open = box.open; });
  return box;
}

// container shows an object or array; of those in it, levels unfold with it.
function container(text, { from, start, end }, length, levels) {
  const box = element('details', 'json');
  // The rest of the line stands in for the children while these are folded.
  const line = element('summary', '', colored(cut(text.slice(from, start + 1), 0, LINE)), element('span', 'rest', preview(text, start + 1, end, length)));
  let made = false;
  const make = () => {
    if (made) return;
    made = true;
    const children = element('div', 'tree');
    fill(children, text, items(text, start), levels);
    box.append(children, element('div', 'punctuation', text[end - 1]));
  };
  box.unfold = () => {
    make();
    box.open = true;
  };
  line.addEventListener('click', make);
  box.append(line);
  return box;
}

function preview(text, from, end, length) {
  const all = cut(text.slice(0, end), from, length);
  const bright = cut(all, 0, BRIGHT);
  const line = colored(bright);
  line.append(visible(all.slice(bright.length)), from + all.length < end ? '…' : '');
  return line;
}

function fill(parent, text, children, levels) {
  let next = children.next();
  moreButton(parent, (button) => {
    const made = document.createDocumentFragment();
    for (let i = 0; i < PORTION && !next.done; i++, next = children.next()) made.append(child(text, next.value, levels));
    if (button.isConnected) button.before(made);
    else parent.append(made);
    return !next.done && `${PORTION} more`;
  });
}

function child(text, item, levels) {
  const { from, start, end } = item;
  if ('[{'.includes(text[start])) {
    const box = container(text, item, BRIGHT, levels - 1);
    if (levels > 0) box.unfold();
    return box;
  }
  const leaf = element('div', 'leaf');
  inPortions(leaf, end - from, LINE, 50 * LINE, (n) => plural(n, 'character'), (at, n) => {
    const part = cut(text.slice(from, end), at, n);
    return [at ? visible(part) : colored(part), part.length];
  });
  return leaf;
}

// items yields where the children of the object or array at a place are: from
// (with the name), start and end.
function* items(text, at) {
  const named = text[at] === '{';
  for (let i = skip(text, at + 1); !'}]'.includes(text[i]); i = skip(text, i)) {
    const from = i;
    if (named) i = skip(text, stringEnd(text, i));
    const start = i;
    i = valueEnd(text, i);
    yield { from, start, end: i };
  }
}

// skip passes over what stands between values.
function skip(text, i) {
  while (' \t\r\n,:'.includes(text[i])) i++;
  return i;
}

function valueEnd(text, i) {
  if (text[i] === '"') return stringEnd(text, i);
  let depth = 0;
  for (;;) {
    const c = text[i];
    if (c === '"') i = stringEnd(text, i) - 1;
    else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') {
      if (depth === 0) return i; // of what holds a number
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && ' \t\r\n,'.includes(c)) return i;
    i++;
  }
}

function stringEnd(text, i) {
  for (;;) {
    i = text.indexOf('"', i + 1);
    let slashes = 0;
    while (text[i - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return i + 1;
  }
}

const tokens = /("(?:[^"\\]|\\.)*"?)(\s*:)?|-?\d[^\s,\]}]*|true|false|null/g;

// colored makes spans for names, strings and other values of a piece of JSON.
function colored(text) {
  const made = document.createDocumentFragment();
  let from = 0;
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(tokens)) {
    made.append(visible(text.slice(from, index)));
    made.append(element('span', colon ? 'name' : string ? 'string' : 'value', visible(string ?? token)), colon ?? '');
    from = index + token.length;
  }
  made.append(visible(text.slice(from)));
  return made;
}
