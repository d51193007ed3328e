// The server that this page comes from. A proxy may have taken a prefix off the
// path of its address, and neither the page nor the server knows which. So all
// that is asked of the server is below the page's own directory, and a path that
// is asked about is relative to that.

const parts = new URL('../', import.meta.url); // .wspipe/
const directory = new URL('../', parts);

// question is the URL of one of wspipe's own answers.
export const question = (name, query) => `${new URL(name, parts)}?${new URLSearchParams(query)}`;

// pathTo is the path of url, on this server's host, from the page's directory.
export function pathTo(url) {
  const from = directory.pathname.split('/').slice(1, -1), to = url.pathname.split('/').slice(1);
  let common = 0;
  while (common < from.length && common < to.length - 1 && from[common] === to[common]) common++;
  return `./${'../'.repeat(from.length - common)}${to.slice(common).join('/')}`;
}

// locate is the URL of a path of the server. up leads from the page's directory to
// the server's root, as far as the server sees.
export const locate = (up, path) => new URL(`${up}${path.slice(1)}`, directory);
