/** What the page may do now. */
export interface PageState {
  readonly hidden: boolean;
  /** It was put aside (back/forward cache), and every connection must end. */
  readonly frozen: boolean;
}

/** Tells of changes of the page; `woken` is a moment to ask at once, of a page that is seen. Nothing outside browsers. */
export function followPage(changed: (state: PageState, woken: boolean) => void): () => void {
  if (typeof document === 'undefined') return () => {};
  let frozen = false;
  const tell = (woken: boolean) => {
    const hidden = document.visibilityState === 'hidden';
    changed({ hidden, frozen }, woken && !hidden);
  };
  const following = new AbortController();
  const on = (target: EventTarget, event: string, run: () => void) =>
    target.addEventListener(event, run, { signal: following.signal });
  on(document, 'visibilitychange', () => tell(true));
  on(window, 'online', () => tell(true));
  on(window, 'pagehide', () => {
    frozen = true;
    tell(false);
  });
  on(window, 'pageshow', () => {
    if (!frozen) return;
    frozen = false;
    tell(true);
  });
  tell(false);
  return () => following.abort();
}
