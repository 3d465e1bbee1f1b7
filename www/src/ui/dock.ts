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
