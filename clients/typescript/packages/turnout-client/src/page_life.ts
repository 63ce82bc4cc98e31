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
  document.addEventListener('visibilitychange', onVisibility);
  window.addEventListener('online', onOnline);
  window.addEventListener('pagehide', onHide);
  window.addEventListener('pageshow', onShow);
  tell(false);
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    window.removeEventListener('online', onOnline);
    window.removeEventListener('pagehide', onHide);
    window.removeEventListener('pageshow', onShow);
  };
}
