import { describe, expect, it } from "vitest";
import { HEADERS, PAGE_POLICY } from "../build/policy.js";

describe("the page's policy", () => {
  it("lets nothing run but the page's own files", () => {
    expect(PAGE_POLICY).toMatch(/script-src 'self' 'wasm-unsafe-eval';.*worker-src 'self';/);
    expect(PAGE_POLICY).not.toContain("unsafe-inline");
    expect(PAGE_POLICY).toContain("img-src 'self' data: blob:;");
  });

  it("lets nobody frame the page, and tells nobody where a visitor comes from", () => {
    expect(HEADERS["Content-Security-Policy"]).toBe(`${PAGE_POLICY}; frame-ancestors 'none'`);
    // Browsers ignore this directive in a page, with a warning.
    expect(PAGE_POLICY).not.toContain("frame-ancestors");
    expect(HEADERS).toMatchObject({ "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer" });
    expect(HEADERS["Cross-Origin-Opener-Policy"]).toBe("same-origin");
  });
});
