// The panel that says how the connection stands.

const $ = (id) => document.getElementById(id);

// showStatus takes what closing.js returns, or as much of it as there is.
export function showStatus({ tone, title, detail, code = '', name = '', reason = '', causes = [] }) {
  $('status').dataset.tone = tone;
  $('status-title').textContent = title;
  $('status-code').textContent = code;
  $('status-name').textContent = name;
  $('status-reason').textContent = reason;
  $('status-detail').replaceChildren(...withFlags(detail));
  $('status-causes').replaceChildren(...causes.map((cause) => {
    const item = document.createElement('li');
    item.append(...withFlags(cause));
    return item;
  }));
}

// withFlags sets --flags in code, and what stands in `backticks`: browsers break
// lines inside them otherwise, and a click selects the whole for a copy.
function withFlags(text) {
  return text.split(/(--[a-z][^\s;,)]*[^\s;,.)]|`[^`]+`)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const code = document.createElement('code');
    code.textContent = part.startsWith('`') ? part.slice(1, -1) : part;
    return code;
  });
}
