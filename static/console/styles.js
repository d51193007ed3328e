// Style sheets that nothing needs at first.

const loaded = new Map();

// styles resolves once the style sheets with these names, from .wspipe/, are in effect.
export const styles = (...names) => Promise.all(names.map((name) => {
  if (!loaded.has(name)) loaded.set(name, load(name));
  return loaded.get(name);
}));

function load(name) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = new URL(`../${name}`, import.meta.url);
  return new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = () => {
      loaded.delete(name);
      link.remove();
      reject(new Error(`${name} cannot be loaded`));
    };
    document.head.append(link);
  });
}
