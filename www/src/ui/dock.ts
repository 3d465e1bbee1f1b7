/**
 * Tells the style sheet how much of the page a keyboard on the screen covers (`--keyboard`). Browsers that make the page lower
 * instead leave nothing to tell; Safari does not.
 */
export function watchKeyboard(): void {
  const { visualViewport } = globalThis;
  if (visualViewport == null) return;
  const tell = (): void => {
    const { height, offsetTop, scale } = visualViewport;
    // A page that is enlarged by fingers shows a part of itself, too.
    const covered = scale > 1.01 ? 0 : Math.max(0, Math.round(innerHeight - height - offsetTop));
    document.documentElement.style.setProperty("--keyboard", `${String(covered)}px`);
  };
  visualViewport.addEventListener("resize", tell);
  visualViewport.addEventListener("scroll", tell);
}

/** Tells the style sheet the height of what stands at the page's end, above which other things float (`--dock`). */
let observer: ResizeObserver | undefined;

export function watchDock(element: HTMLElement | null): void {
  observer?.disconnect();
  if (element === null) return;
  observer = new ResizeObserver(() => {
    document.documentElement.style.setProperty("--dock", `${String(element.offsetHeight)}px`);
  });
  observer.observe(element);
}
