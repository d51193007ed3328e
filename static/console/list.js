// fill replaces the children of list only if they differ: it runs every few
// seconds, and a reader should not lose the place.
export function fill(list, items) {
  const same = list.childElementCount === items.length && items.every((item, i) => item.isEqualNode(list.children[i]));
  if (!same) list.replaceChildren(...items);
}

// pairs are items of "name value".
export const pairs = (list) => list.map(([name, value]) => {
  const item = document.createElement('li'), b = document.createElement('b');
  b.textContent = value;
  item.append(`${name} `, b);
  return item;
});
