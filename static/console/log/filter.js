// What is looked for: text, or a regular expression between slashes.

import { textOf } from '../format.js';

// pattern returns what a field asks for as a RegExp with the flags g and u, or
// null if that is nothing. It throws where there is no such expression.
export function pattern(query) {
  if (!query) return null;
  const [, source, flags] = query.match(/^\/(.+)\/([imsuv]*)$/s) ?? [];
  if (source) return new RegExp(source, `${flags.replace(/[uv]/g, '')}gu`);
  // A capital letter is meant as one.
  return new RegExp(query.replace(/[$()*+./?[\\\]^{|}]/g, '\\$&'), /\p{Lu}/u.test(query) ? 'gu' : 'giu');
}

// contains says whether a payload has a match.
export const contains = (wanted, entry) => textOf(entry.data).search(wanted) >= 0;

// watch calls use with the pattern of a field as it is typed. What is wrong
// with it is noted, and the pattern before stays.
export function watch(field, note, use) {
  const read = () => {
    try {
      use(pattern(field.value));
      if (field.ariaInvalid === 'true') note('');
      field.ariaInvalid = null;
    } catch (error) {
      field.ariaInvalid = 'true';
      note(`Not searched: ${error.message}`);
    }
  };
  field.addEventListener('input', read);
  if (field.value) read(); // the browser may have kept it over a reload
}
