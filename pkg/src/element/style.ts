/**
 * The element's own style sheet. It is constructed, as a policy that forbids inline styles (`style-src 'self'`) would
 * refuse a `<style>`.
 */
const CSS = `
:host {
  --accent: var(--hearth-accent, light-dark(#b3400e, #ff9a62));
  --background: var(--hearth-background, Canvas);
  --border: var(--hearth-border, light-dark(#8a8580, #8f8a85));
  --bubble: var(--hearth-bubble, light-dark(#f3efea, #2a2725));
  --radius: var(--hearth-radius, 0.5rem);
  color-scheme: light dark;
  display: block;
  block-size: 28rem;
  color: var(--hearth-color, CanvasText);
  background: var(--background);
  font: var(--hearth-font, 1rem/1.5 system-ui, sans-serif);
}
:host([hidden]), [hidden] { display: none !important; }
[part="chat"] { display: flex; flex-direction: column; gap: 0.5rem; block-size: 100%; }
[part="messages"] { flex: 1; min-block-size: 0; overflow: auto; display: flex; flex-direction: column; gap: 0.5rem; padding: 0.5rem; }
[part~="message"] { max-inline-size: 100%; overflow-wrap: anywhere; }
[part~="message-user"] { align-self: flex-end; background: var(--bubble); border-radius: var(--radius); padding: 0.25rem 0.75rem; }
[part~="content"], [part="thoughts-text"] { white-space: pre-wrap; }
[part="thoughts"] { font-size: 0.875em; border-inline-start: 2px solid var(--border); padding-inline-start: 0.5rem; }
[part="form"] { display: flex; gap: 0.5rem; align-items: end; padding: 0.5rem; }
[part="input"] { flex: 1; min-inline-size: 0; resize: none; field-sizing: content; max-block-size: 10rem; }
[part="input"], button { font: inherit; color: inherit; background: var(--background); border: 1px solid var(--border); border-radius: var(--radius); padding: 0.5rem 0.75rem; min-block-size: 2.75rem; box-sizing: border-box; }
button { cursor: pointer; }
button:disabled { cursor: default; opacity: 0.6; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[part="status"], [part="error"] { padding-inline: 0.5rem; }
[part="progress"] { inline-size: 100%; accent-color: var(--accent); }
.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

let sheet: CSSStyleSheet | undefined;

/** Gives the style sheet, which all elements share, to a shadow root. */
export function adoptStyle(root: ShadowRoot): void {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  root.adoptedStyleSheets = [sheet];
}
