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

// condition returns what a filter asks for as a function of an entry, or null if that
// is nothing: text or a regular expression to be there, and -text or -/regexp/ not to be.
export function condition(query) {
  const excluded = [];
  const rest = query.replace(/(^|\s)-(\/.+?\/[imsuv]*(?=\s|$)|\S+)/gs, (_, before, word) => {
    excluded.push(pattern(word));
    return '';
  }).trim();
  const wanted = pattern(excluded.length ? rest : query);
  if (!wanted && !excluded.length) return null;
  return (entry) => (!wanted || contains(wanted, entry)) && !excluded.some((unwanted) => contains(unwanted, entry));
}

// watch calls use with what parse makes of a field as it is typed. What is wrong
// with it is noted, and what was there before stays.
export function watch(field, note, use, parse = pattern) {
  const read = () => {
    try {
      use(parse(field.value));
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
