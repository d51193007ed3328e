// What the page has to know after a reload to go on with its session. It is in
// sessionStorage only while the page is away, as the session's ID is: a copy of the
// tab does not get it.

const KEY = 'wspipe.console';

// remember notes the session of pane, as the page goes.
export function remember({ target, connection: { offered, framing, streamBytes }, state: { view } }) {
  const { address, subprotocols, token } = target;
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ page: location.href, address, subprotocols, token, offered, framing, streamBytes, view }));
  } catch {
    // Storage is forbidden: then the session ends with the page.
  }
}

// recall returns the visit of this page before it was reloaded, or null, and forgets it.
export function recall() {
  try {
    const visit = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return visit?.page === location.href ? visit : null;
  } catch {
    return null;
  }
}
