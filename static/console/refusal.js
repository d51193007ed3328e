// Why a handshake was refused. Browsers do not tell a page, so the server is
// asked over HTTP what it would answer.

import { pathTo, question } from './server.js';

const PATIENCE = 5000; // milliseconds
const LONGEST = 4096; // of an answer, in bytes; another server may send anything
const names = {
  400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
  426: 'Upgrade Required', 429: 'Too Many Requests', 500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
};
const advice = {
  401: 'Enter a token, or log in at HTTP first.',
  429: 'Or connect again when another client has disconnected.',
  503: 'Connect again later.',
};

// whyRefused takes {address, subprotocols, origin} and returns what showStatus takes.
export async function whyRefused(end) {
  const url = new URL(end.address);
  const http = `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`;
  const signal = AbortSignal.timeout(PATIENCE);
  const isOurs = url.host === location.host;
  const query = { path: (isOurs ? pathTo(url) : url.pathname) + url.search, protocols: end.subprotocols.join(), origin: end.origin };
  try {
    const response = await fetch(isOurs ? question('handshake', query) : `${http}/.wspipe/handshake?${new URLSearchParams(query)}`, { signal, cache: 'no-store' });
    const text = await head(response);
    const answer = response.ok ? verdict(text) : spoken(response.status, text);
    if (answer?.status === 101) return accepted(end, answer);
    return answer ? refused(answer, http) : silent(end, url);
  } catch {
    // The answer is not for this page to read, or there is none.
  }
  const answers = await fetch(http, { mode: 'no-cors', signal, cache: 'no-store' }).then(() => true, () => false);
  return answers ? silent(end, url) : nobody(end, url, http);
}

// head returns the beginning of an answer.
async function head(response) {
  const reader = response.body.getReader(), decoder = new TextDecoder();
  let text = '';
  for (let part; text.length < LONGEST && !(part = await reader.read()).done; ) text += decoder.decode(part.value, { stream: true });
  reader.cancel();
  return text.slice(0, LONGEST);
}

// verdict is what wspipe says it would respond, or null if the text is not wspipe's.
function verdict(text) {
  try {
    const answer = JSON.parse(text);
    return Number.isInteger(answer?.status) ? answer : null;
  } catch {
    return null;
  }
}

// spoken is why the question itself was refused: admission is the same for every
// page as for a WebSocket. A 404 comes from an older wspipe.
function spoken(status, text) {
  const [, why, flag] = /^wspipe: (.*?)(?:; to allow it, start wspipe with (.*?))?\s*$/s.exec(text) ?? [];
  if (status === 404) return null;
  return { status, why: why ?? 'The response is not from wspipe, but from a proxy or another server.', flag };
}

function refused({ status, why = '', flag }, http) {
  const causes = flag ? [`Start wspipe with ${flag}`] : [];
  if (advice[status]) causes.push(advice[status].replace('HTTP', http));
  return { status, tone: 'bad', title: `Refused: ${status} ${names[status] ?? ''}`.trim(), detail: sentence(String(why)), causes };
}

function accepted({ subprotocols }, { subprotocol }) {
  if (subprotocols.length && !subprotocol) {
    return {
      tone: 'bad', title: 'No subprotocol in common',
      detail: 'The server accepts the handshake but supports none of these subprotocols, and then browsers close the connection.',
      causes: ['Leave the field empty, or name one that it supports; see --subprotocol.'],
    };
  }
  return {
    tone: 'bad', title: 'Not opened, but it would be accepted now',
    detail: 'Asked over HTTP, wspipe would accept this handshake. Likely causes:',
    causes: [
      'A proxy does not forward it. nginx needs `proxy_http_version 1.1;` `proxy_set_header Upgrade $http_upgrade;` `proxy_set_header Connection "upgrade";`',
      'It was busy or had not started yet, or it had reached a limit: connect again.',
    ],
  };
}

// silent is for a server that does not say why.
function silent({ origin, subprotocols }, { host, pathname }) {
  const causes = [
    `It refuses pages of ${origin} (403).`,
    `There is no WebSocket at ${pathname} (404), or it wants a password or token (401).`,
    'It has reached its limit of clients (429): try again later.',
  ];
  if (subprotocols.length) causes.push('It supports none of these subprotocols.');
  return {
    tone: 'bad', title: 'The connection was not opened',
    detail: `${host} responds, but does not say why: it is not wspipe, or does not let this page ask. Its log may say more. Likely causes:`,
    causes,
  };
}

function nobody({ origin }, { host, protocol }, http) {
  const causes = ['The server is not running, the name or port is wrong, or a firewall blocks it.'];
  if (protocol === 'wss:') causes.push(`The browser does not trust the certificate: open ${http}/ to see.`, 'It does not use TLS: try ws://.');
  else causes.push(origin.startsWith('https:') ? 'A page from https:// may open wss:// only (mixed content).' : 'It accepts TLS only: try wss://.');
  return { tone: 'bad', title: `Nothing answers at ${host}`, detail: 'Neither a WebSocket nor HTTP got a response within 5 seconds. Likely causes:', causes };
}

const sentence = (why) => `${why.charAt(0).toUpperCase()}${why.slice(1)}${/[.!?]$/.test(why) ? '' : '.'}`;
