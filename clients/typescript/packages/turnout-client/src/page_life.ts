/** What the page may do now. */
export interface PageState {
  readonly hidden: boolean;
  /** It was put aside (back/forward cache), and every connection must end. */
  readonly frozen: boolean;
}

/** Tells of changes of the page; `woken` is a moment to ask at once. Nothing outside browsers. */
export function followPage(changed: (state: PageState, woken: boolean) => void): () => void {
  if (typeof document === 'undefined' || typeof window === 'undefined') return () => {};
  let frozen = false;
  const tell = (woken: boolean) => changed({ hidden: document.visibilityState === 'hidden', frozen }, woken);
  const onVisibility = () => tell(document.visibilityState === 'visible');
  const onOnline = () => tell(true);
  const onHide = () => {
    frozen = true;
    tell(false);
  };
  const onShow = () => {
    const came = frozen;
    frozen = false;
    if (came) tell(true);
  };
  const following = new AbortController();
  const { signal } = following;
  document.addEventListener('visibilitychange', onVisibility, { signal });
  window.addEventListener('online', onOnline, { signal });
  window.addEventListener('pagehide', onHide, { signal });
  window.addEventListener('pageshow', onShow, { signal });
  tell(false);
  return () => following.abort();
}
