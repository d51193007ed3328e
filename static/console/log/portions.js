// Long content is shown in portions: a line of a hundred megabytes would block the
// browser.

export function element(name, className = '', ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

// inPortions appends the first head of total units to parent, and a button for
// more of them each time. render(from, n) returns a node or text, and how many
// units it stands for; what(n) names them.
export function inPortions(parent, total, head, more, what, render) {
  const [node, length] = render(0, head);
  parent.append(node);
  if (length >= total) return;
  let shown = length;
  moreButton(parent, (button) => {
    if (button.isConnected) {
      const [next, n] = render(shown, more);
      button.before(next);
      shown += n;
    }
    return shown < total && `Show more of ${what(total - shown)}`;
  });
}

// moreButton appends a button that calls step, which returns the button's label,
// now and whenever it is pressed; it goes when there is none.
export function moreButton(parent, step) {
  const button = element('button', 'more');
  button.type = 'button';
  const press = () => {
    const label = step(button);
    if (label) button.textContent = label;
    else {
      if (document.activeElement === button) button.closest('[tabindex]')?.focus({ preventScroll: true });
      button.remove();
    }
  };
  press();
  if (button.textContent) parent.append(button);
  button.addEventListener('click', press);
}
