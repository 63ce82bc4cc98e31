/** A command that works as it is shown. */
export interface Hint {
  readonly what: string;
  readonly line: string;
}

/** Shows commands, each with a button that copies it. */
export function showHints(list: HTMLElement, hints: readonly Hint[]): void {
  for (const { what, line } of hints) {
    const item = document.createElement('li');
    const title = document.createElement('span');
    title.className = 'what';
    title.textContent = what;
    const code = document.createElement('code');
    // Lines break between words: a path or an option is broken only where it is longer than the line.
    for (const word of line.split(' ')) {
      const part = document.createElement('span');
      part.textContent = word;
      code.append(part, ' ');
    }
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy: ${what}`);
    button.addEventListener('click', () => {
      navigator.clipboard.writeText(line).then(
        () => (button.textContent = 'Copied'),
        () => getSelection()?.selectAllChildren(code),
      );
    });
    item.append(title, code, button);
    list.append(item);
  }
}
