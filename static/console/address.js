// What the user types into the fields of the bar.

// pageAddress is the WebSocket beside the page: same host, path and query.
export function pageAddress(page = location) {
  return `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}${page.pathname}${page.search}`;
}

// parseAddress completes what people type, host:port/path, /path or ?query, to a
// WebSocket URL. It throws an Error that says what is wrong.
export function parseAddress(typed, page = location) {
  let text = typed.trim();
  if (!/^[/?]/.test(text) && !/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) text = `//${text}`;
  let url;
  try {
    url = new URL(text, pageAddress(page));
  } catch {
    throw new Error(`“${typed}” is no address; one looks like ws://host:8080/path.`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (!/^wss?:$/.test(url.protocol)) throw new Error(`An address starts with ws:// or wss://, not with ${url.protocol}//.`);
  url.hash = ''; // RFC 6455 section 3: no fragments
  return url.href;
}

// parseSubprotocols splits a list at commas and spaces. Browsers say themselves
// what is wrong with a name.
export const parseSubprotocols = (typed) => typed.split(/[\s,]+/).filter(Boolean);

// withSize adds the size of a terminal, so that the child has it from the start.
export function withSize(address, { cols, rows }) {
  const url = new URL(address);
  url.search += `${url.search ? '&' : '?'}wspipe_size=${cols}x${rows}`;
  return url.href;
}

// withoutToken returns address, which may be incomplete, without its token, and that.
export function withoutToken(address) {
  const [, token] = /[?&]access_token=([^&#]*)/.exec(address) ?? [];
  if (token === undefined) return { address, token: '' };
  const rest = address.replace(/([?&])access_token=[^&#]*(&?)/, (_, before, after) => after ? before : '');
  return { address: rest, token: decoded(token) };
}

// withToken returns address with token, if any, as the server takes it from browsers.
export function withToken(address, token) {
  if (!token) return address;
  const url = new URL(address);
  url.search += `${url.search ? '&' : '?'}access_token=${encodeURIComponent(token)}`;
  return url.href;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// shown is an address without its secrets, for the eye and for what is saved.
export function shown(address) {
  return address.replace(/([?&]access_token=)[^&#]*/g, '$1…').replace(/\/\/[^/@]*@/, '//…@');
}
