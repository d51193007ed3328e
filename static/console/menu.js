// Menus are details elements: they work with the keyboard by themselves. These
// close when the user goes on elsewhere.

export function closeMenus(root) {
  const open = () => root.querySelectorAll('details.menu[open]');
  root.addEventListener('pointerdown', ({ target }) => {
    for (const menu of open()) if (!menu.contains(target)) menu.open = false;
  });
  root.addEventListener('click', ({ target }) => {
    const menu = target.closest('.menu button')?.closest('details');
    if (menu) menu.open = false;
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
