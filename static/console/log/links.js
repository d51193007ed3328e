// Web addresses in a text as links, and the level of a line of a log.

import { element } from './portions.js';

const address = /https?:\/\/[^\s‹›"'<>`]*[^\s‹›"'<>`.,;:!?)\]}]/gu;

// linked returns text, or a fragment where addresses in it are links.
export function linked(text) {
  if (!text.includes('://')) return text;
  const made = document.createDocumentFragment();
  let from = 0;
  for (const { 0: found, index } of text.matchAll(address)) {
    const url = parsed(found);
    if (!url) continue;
    made.append(text.slice(from, index), Object.assign(element('a', '', found), { href: url, title: url, target: '_blank', rel: 'noreferrer noopener' }));
    from = index + found.length;
  }
  made.append(text.slice(from));
  return made;
}

// parsed is the address as the browser takes it, which shows what looks like another.
function parsed(text) {
  try {
    return new URL(text).href;
  } catch {
    return null;
  }
}

const HEAD = 200; // characters of a line in which its level is looked for
const marks = [
  /(?:^|[\s[|(<"])(FATAL|CRITICAL|ERROR|WARN|WARNING|DEBUG|TRACE)(?=$|[\s\]|)>:"])/,
  /(?:^|[\s{,"])(?:level|lvl|severity)"?\s*[=:]\s*"?(fatal|critical|err|error|warn|warning|debug|trace)\b/i,
  /^(fatal|error|warn|warning|debug)\s*:/i,
];
const levels = { f: 'error', c: 'error', e: 'error', w: 'warn', d: 'debug', t: 'debug' };

// levelOf is 'error', 'warn', 'debug', or empty for any other line.
export function levelOf(text) {
  const head = text.slice(0, HEAD);
  for (const mark of marks) {
    const [, word] = mark.exec(head) ?? [];
    if (word) return levels[word[0].toLowerCase()];
  }
  return '';
}
