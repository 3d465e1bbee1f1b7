/** Addresses of this page and of servers. */

/** Returns the page's address; outside pages there is none. */
export function pageLocation(): Location | undefined {
  return (globalThis as { location?: Location }).location;
}

/** Returns the page's origin, for advice that names it. */
export function pageOrigin(): string {
  return pageLocation()?.origin ?? "this page's origin";
}

export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** Whether an address is on this machine or in the local network. */
export function isNear(url: URL): boolean {
  const { hostname } = url;
  return (
    isLoopback(url) ||
    hostname.endsWith(".local") ||
    /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[f[cd])/.test(hostname)
  );
}
