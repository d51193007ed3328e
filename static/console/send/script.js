// Scripts: a text whose first line is "script NAME", with a step on each further line:
// send TEXT, wait for TEXT, or delay 500 ms (or 2 s).

import { textOf } from '../format.js';

const PATIENCE = 30_000; // milliseconds of waiting for a text

// parse returns {name, steps} of a script, or null for another text. It throws an Error
// that says what is wrong.
export function parse(text) {
  const [head, ...lines] = text.split('\n');
  const [, name] = /^script\s+(\S.*)$/.exec(head) ?? [];
  if (!name) return null;
  return { name, steps: lines.filter((line) => line.trim()).map(step) };
}

function step(line) {
  const [, text] = /^send (.*)$/.exec(line) ?? [];
  if (text !== undefined) return { send: text };
  const [, awaited] = /^wait for (.+)$/.exec(line) ?? [];
  if (awaited) return { wait: awaited };
  const [, time, unit] = /^delay ([\d.]+) ?(ms|s)$/.exec(line) ?? [];
  if (time) return { delay: Number(time) * (unit === 's' ? 1000 : 1) };
  throw new Error(`“${line}” is no step; steps are: send TEXT, wait for TEXT, delay 500 ms.`);
}

// run carries out steps with a Pane. It throws an Error if one fails.
export async function run(steps, pane) {
  const received = []; // texts that no step has waited for
  let wake = () => {};
  const watch = (entry) => {
    if (entry && entry.kind !== 'in') return;
    if (entry) received.push(textOf(entry.data));
    wake();
  };
  pane.watchers.add(watch);
  try {
    for (const step of steps) {
      if (!pane.state.live) throw new Error('there is no connection.');
      if ('send' in step && !pane.send(step.send)) throw new Error('a message was not sent.');
      if (step.delay) await new Promise((done) => { setTimeout(done, step.delay); });
      if (step.wait) await arrival(step.wait, received, pane, (woken) => { wake = woken; });
    }
  } finally {
    pane.watchers.delete(watch);
  }
}

// arrival waits for a message with text, and drops those up to it.
async function arrival(text, received, pane, onWake) {
  const late = AbortSignal.timeout(PATIENCE);
  for (;;) {
    const at = received.findIndex((message) => message.includes(text));
    if (at >= 0) return void received.splice(0, at + 1);
    if (late.aborted || !pane.state.live) throw new Error(`“${text}” did not come.`);
    await new Promise((done) => {
      onWake(done);
      late.addEventListener('abort', done, { once: true });
    });
  }
}
