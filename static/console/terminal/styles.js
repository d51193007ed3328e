// The terminal's style sheets, which nothing needs before. Whoever imports this
// module waits for them: the terminal measures itself as it opens.

await Promise.all(['vendor/xterm/xterm.css', 'console/terminal/terminal.css'].map((name) => new Promise((resolve, reject) => {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = new URL(`../../${name}`, import.meta.url);
  link.onload = resolve;
  link.onerror = () => reject(new Error(`${name} cannot be loaded`));
  document.head.append(link);
})));
