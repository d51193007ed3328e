// What the page has to know after a reload to go on with its session. It stands
// in sessionStorage only while the page is away, as the session's ID does: a
// copy of the tab does not get it.

const KEY = 'wspipe.console';

// remember notes visit, {address, typed, offered, view}, as the page goes: the two
// fields, the subprotocols of the connection, and what is shown.
export function remember(visit) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ page: location.href, ...visit }));
  } catch {
    // Storage is forbidden: then the session is not gone on with.
  }
}

// recall returns the visit of this page before it was reloaded, or null.
export function recall() {
  try {
    const visit = JSON.parse(sessionStorage.getItem(KEY));
    return visit?.page === location.href ? visit : null;
  } catch {
    return null;
  }
}

export function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // see remember
  }
}
