// Menus are details elements: they work with the keyboard by themselves. These
// close when the user goes on elsewhere.

export function closeMenus(root) {
  // In the sheet of a phone they stay open.
  const open = () => root.querySelectorAll('body:not(.phone) details.menu[open]');
  root.addEventListener('pointerdown', ({ target }) => {
    for (const menu of open()) if (!menu.contains(target)) menu.open = false;
  });
  root.addEventListener('click', ({ target }) => {
    const menu = target.closest('.menu button')?.closest('details');
    if (menu && [...open()].includes(menu)) menu.open = false;
  });
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    for (const menu of open()) {
      if (menu.contains(root.activeElement)) menu.firstElementChild.focus();
      menu.open = false;
    }
  });
  root.addEventListener('focusin', ({ target }) => {
    for (const menu of open()) if (!menu.contains(target)) menu.open = false;
  });
}
