// What the page has to know after a reload to go on with its session. It is in
// sessionStorage only while the page is away, as the session's ID is: a copy of the
// tab does not get it.

const KEY = 'wspipe.console';

// remember notes the session of pane, as the page goes.
function remember({ target, connection: { offered, framing, streamBytes }, state: { view } }) {
  const { address, subprotocols, token } = target;
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ page: location.href, address, subprotocols, token, offered, framing, streamBytes, view }));
  } catch {
    // Storage is forbidden: then the session ends with the page.
  }
}

// recall returns the visit of this page before it was reloaded, or null, and forgets it.
function recall() {
  try {
    const visit = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return visit?.page === location.href ? visit : null;
  } catch {
    return null;
  }
}

// outlive keeps the session of page over a reload, and asks before a shell is ended
// that is in use, and will not be kept.
export function outlive(page) {
  addEventListener('pagehide', () => {
    const [pane] = page.panes;
    if (pane.connection.resumes && pane.state.live) remember(pane);
  });
  addEventListener('beforeunload', (event) => {
    const inUse = ({ state, connection, info }) => state.live && !connection.resumes && (connection.hello?.pty ?? info?.pty);
    if (page.panes.some(inUse)) event.preventDefault();
  });
}

// resume goes on with the session that this tab had before it was reloaded.
export async function resume(page) {
  const visit = recall(), { active } = page;
  if (!visit) return;
  await page.goTo({ address: visit.address, subprotocols: visit.subprotocols, token: visit.token });
  if (!page.endpoint.info?.resume) return;
  if (visit.view !== active.state.view) page.tabs.select(visit.view, true);
  active.connect(visit);
}
