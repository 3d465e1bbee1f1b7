// @vitest-environment happy-dom
/** The panel of documents and a passage in its document, drawn in a document of happy-dom. */
import "fake-indexeddb/auto";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { shownSource } from "../src/state/documents.js";
import { add, entries, opened, removeAll } from "../src/state/library.js";
import { change } from "../src/state/settings.js";
import type { SourcesPart } from "../src/store/sources.js";
import { AskDocuments } from "../src/ui/AskDocuments.js";
import { dialog } from "../src/ui/dialogs.js";
import { DocumentsDialog } from "../src/ui/Documents.js";
import { PassageDialog } from "../src/ui/PassageDialog.js";
import { showSource } from "../src/ui/show-source.js";
import { Sources } from "../src/ui/Sources.js";

const SEA = "The harbour is nine metres deep. Each ship waits for a pilot.";
const HTML = "Before. <script>alert(1)</script> <img src=https://evil.test/x> After.";

const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);
const all = (selector: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(selector)];
const text = (name: string, content: string): File => new File([content], name);

async function show(...children: Parameters<typeof render>[0][]): Promise<void> {
  await act(() => {
    render(<main>{children}</main>, document.body);
  });
}

/** Clicks, and waits for what the document store does in answer. */
async function click(selector: string, done: () => void = () => undefined): Promise<void> {
  await act(async () => {
    find(selector)?.click();
    await new Promise((resolve) => setTimeout(resolve, 40));
    await vi.waitFor(done, { timeout: 10_000 });
  });
}

/** Tells that these documents are left. */
function left(...names: string[]): () => void {
  return () => {
    expect(entries.value.map(({ name }) => name)).toEqual(names);
  };
}

beforeEach(() => {
  // Without a document's layout there is nothing to scroll.
  Element.prototype.scrollIntoView = () => undefined;
});

afterEach(async () => {
  render(null, document.body);
  await removeAll();
  change({ language: "en", asksDocuments: false });
});

describe("the panel", () => {
  it("lists each document with its size and state, and tells what is searchable", async () => {
    await add([text("sea.txt", SEA), text("zeros.bin", "\0\0"), text("b.md", "# B\n\nBees.")]);
    await show(<DocumentsDialog />);
    expect(all("#library li").map(({ dataset }) => dataset.state)).toEqual(["words", "words", "failed"]);
    expect(find("#library li")?.textContent).toContain("sea.txt61 B · Searchable");
    const reason = find("#library [role=alert]");
    expect(reason?.dataset.code).toBe("document_type");
    expect(reason?.textContent).toContain("zeros.bin is neither text nor a known format");
    expect(find("#library-status")?.textContent).toBe("2 documents are searchable");
    expect(find("#library-status")?.getAttribute("role")).toBe("status");
    expect(find("dialog#documents")?.getAttribute("aria-labelledby")).toBe(find("h2")?.id);
  });

  it("removes one, and the next button has the focus", async () => {
    await add([text("a.txt", "Ants."), text("b.txt", "Bees."), text("c.txt", "Cats.")]);
    await show(<DocumentsDialog />);
    await click('[aria-label="Remove b.txt"]', left("a.txt", "c.txt"));
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Remove c.txt");
    await click('[aria-label="Remove c.txt"]', left("a.txt"));
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Remove a.txt");
    await click('[aria-label="Remove a.txt"]', left());
    expect(document.activeElement?.id).toBe("document-file");
    expect((await opened()).list()).toEqual([]);
  });

  it("removes all after a question", async () => {
    await add([text("a.txt", "Ants."), text("b.txt", "Bees.")]);
    await show(<DocumentsDialog />);
    await click("#remove-all");
    expect(find("#remove-documents h2")?.textContent).toBe("Remove all 2 documents?");
    expect(entries.value).toHaveLength(2);
    await click("#remove-now", left());
    expect(find("#remove-documents")).toBeNull();
  });

  it("asks for the password of a PDF", async () => {
    const { HearthError } = await import("hearth-llm");
    const error = new HearthError("document_encrypted", "a.pdf is encrypted: it needs a password");
    const file = text("a.pdf", "The safe is open.");
    entries.value = [{ key: "1", name: "a.pdf", bytes: 3, state: "failed", file, error }];
    await show(<DocumentsDialog />);
    const field = find('input[type="password"]') as HTMLInputElement | null;
    expect(field?.getAttribute("aria-label")).toBe("Password of a.pdf");
    if (field !== null) field.value = "secret";
    const tried = vi.spyOn(await opened(), "add");
    await click("#library form button", () => {
      expect(entries.value).toMatchObject([{ state: "ready" }]);
    });
    expect(tried.mock.calls[0]?.[1]).toMatchObject({ password: "secret" });
  });

  it("speaks Chinese, its reasons too", async () => {
    change({ language: "zh-CN" });
    await add([text("zeros.bin", "\0\0")]);
    await show(<DocumentsDialog />);
    expect(find("h2")?.textContent).toBe("文档");
    expect(find("#library [role=alert]")?.textContent).toContain("不支持这种文件格式");
  });
});

describe("the switch in the composer", () => {
  it("is there with the first document, on, and says so", async () => {
    await show(<AskDocuments />);
    expect(find("#ask-documents")).toBeNull();
    await act(() => add([text("sea.txt", SEA)]));
    expect(find("#ask-documents")?.textContent).toBe("Ask my document");
    expect(find("#ask-documents")?.getAttribute("aria-pressed")).toBe("true");
    await click("#ask-documents");
    expect(find("#ask-documents")?.getAttribute("aria-pressed")).toBe("false");
  });
});

describe("a passage", () => {
  async function open(quote: string, whole: string, page: string | null = null): Promise<SourcesPart> {
    await add([text("doc.txt", whole)]);
    const from = (await opened()).list()[0]?.id ?? "";
    const start = whole.indexOf(quote);
    const source = {
      title: "doc.txt",
      quote,
      from,
      number: 1,
      page,
      start,
      end: start + quote.length,
      headings: ["H"],
    };
    return { type: "sources", sources: [source, { ...source, number: 2 }] };
  }
  const wait = (): Promise<void> => act(() => new Promise((resolve) => setTimeout(resolve, 20)));

  it("is marked in its document's text, on its page, and has the focus", async () => {
    const part = await open("Each ship waits for a pilot.", SEA, "iv");
    await show(<Sources part={part} />);
    expect(find(".sources summary")?.textContent).toBe("2 passages were given");
    await click('[aria-label="Source 1: doc.txt, page iv"]');
    expect(dialog.value).toBe("passage");
    await show(<PassageDialog />);
    await wait();
    expect(find("dialog#passage h2")?.textContent).toBe("doc.txt");
    expect(find(".where")?.textContent).toBe("Page iv › H");
    expect(find("mark")?.textContent).toBe("Each ship waits for a pilot.");
    expect(find(".document-body")?.textContent).toBe(SEA);
    expect(document.activeElement).toBe(find("mark"));
    await click(".steps button:last-child");
    expect(shownSource.value?.number).toBe(2);
  });

  it("has the cited sentence marked, with that sentence's page", async () => {
    const part = await open(SEA, `${SEA} The end.`, "1");
    const cited = { number: 1, page: "2", start: 0, end: SEA.indexOf(" Each"), isSupported: true };
    showSource({ part: { ...part, citations: [cited] }, number: 1, at: 0 });
    await show(<PassageDialog />);
    await wait();
    expect(find("mark")?.textContent).toBe("The harbour is nine metres deep.");
    expect(find(".passage")?.textContent).toBe(SEA);
    expect(find(".where")?.textContent).toBe("Page 2 › H");
  });

  it("of a document with pages shows where each begins", async () => {
    const library = await opened();
    vi.spyOn(library, "pages").mockReturnValue([
      { start: 0, value: "i" },
      { start: 33, value: "ii" },
    ]);
    showSource({ part: await open("Each ship", SEA, "ii"), number: 1 });
    await show(<PassageDialog />);
    await wait();
    expect(all(".page-label").map(({ textContent }) => textContent)).toEqual(["Page i", "Page ii"]);
    expect(find("mark .page-label")?.textContent).toBe("Page ii");
    vi.restoreAllMocks();
  });

  it("is text, whatever is in it", async () => {
    showSource({ part: await open("<img src=https://evil.test/x>", HTML), number: 1 });
    await show(<PassageDialog />);
    await wait();
    expect(find(".document-body")?.textContent).toBe(HTML);
    expect(all(".document-body img, .document-body script")).toEqual([]);
  });

  it("of a long document shows its surroundings, and more of them on request", async () => {
    const whole = `${"a ".repeat(20_000)}NEEDLE${" b".repeat(20_000)}`;
    showSource({ part: await open("NEEDLE", whole), number: 1 });
    await show(<PassageDialog />);
    await wait();
    const length = (): number => find(".document-body")?.textContent.length ?? 0;
    expect(length()).toBeLessThan(7_000);
    await click(".document-text > button:first-child");
    expect(length()).toBeGreaterThan(20_000);
    expect(find("mark")?.textContent).toBe("NEEDLE");
  });

  it.each(["a document that was removed", "offsets that are not its own"])("of %s is shown alone", async (kind) => {
    const part = await open("Each ship", SEA);
    if (kind.includes("removed")) await removeAll();
    else for (const source of part.sources) source.start = 3;
    showSource({ part, number: 1 });
    await show(<PassageDialog />);
    await wait();
    expect(find(".document-body")?.textContent).toBe("Each ship");
    expect(find("#passage")?.textContent).toContain("no longer in the list");
  });
});
