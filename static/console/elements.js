// How components get their elements: by name, from the part of the page that is
// theirs. A copy of a part has IDs of its own.

const references = ['for', 'aria-controls', 'aria-labelledby', 'aria-describedby'];

// elements returns the elements below root that have an ID, by that ID in
// camelCase, without the suffix of a copy.
export function elements(root) {
  const found = {};
  for (const element of root.querySelectorAll('[id]')) {
    found[element.id.replace(/--\d+$/, '').replace(/-(\w)/g, (_, letter) => letter.toUpperCase())] = element;
  }
  return found;
}

// copyOf returns a copy of part whose IDs end in --number, as do references to them.
export function copyOf(part, number) {
  const copy = part.cloneNode(true);
  const all = [copy, ...copy.querySelectorAll('*')];
  const own = new Set(all.map(({ id }) => id).filter(Boolean));
  for (const element of all) {
    if (element.id) element.id += `--${number}`;
    for (const name of references) {
      const id = element.getAttribute(name);
      if (own.has(id)) element.setAttribute(name, `${id}--${number}`);
    }
  }
  return copy;
}
