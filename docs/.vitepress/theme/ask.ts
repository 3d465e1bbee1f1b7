/** Questions to these pages: all of them are documents of a library in memory, searched by words in the visitor's browser. */
import type { Engine, LoadProgress } from "hearth-llm";
import type { Library } from "hearth-llm/documents";
import { slug } from "../slug.js";

export interface Page {
  /** Address within the site, such as `/guide/chat`. */
  address: string;
  title: string;
  text: string;
}

/** A passage that was found, or that an answer cites by its number. */
export interface Found {
  number: number;
  address: string;
  /** Titles above it: the page's, and those of its sections. */
  titles: string[];
  text: string;
}

/** Splits `llms-full.txt` into its pages, each of which begins with its address. */
export function pagesOf(text: string): Page[] {
  const parts = text.split(/^---\nurl: *['"]?([^'"\n]+)['"]?\n(?:[^\n]+\n)*?---\n/m).slice(1);
  return parts.flatMap((url, i) => {
    if (i % 2 === 1) return [];
    const body = (parts[i + 1] ?? "").trim();
    const address = url.replace(/^https?:\/\/[^/]+/, "").replace(/(?:index)?\.md$/, "");
    const title = /^# (.+)$/m.exec(body)?.[1] ?? address;
    return body === "" ? [] : [{ address, title, text: body }];
  });
}

/** Pages that can be searched, and answered from once a model is there. */
export class Docs {
  readonly #library: Library;
  readonly #pages: ReadonlyMap<string, Page>;
  #engine: Engine | undefined;

  private constructor(library: Library, pages: ReadonlyMap<string, Page>) {
    this.#library = library;
    this.#pages = pages;
  }

  /** Fetches the pages' text and makes it searchable. */
  static async open(address: string): Promise<Docs> {
    const { Library, MemoryStore } = await import("hearth-llm/documents");
    const response = await fetch(address);
    if (!response.ok) throw new Error(`The pages cannot be fetched: ${address} answers ${String(response.status)}.`);
    const library = await Library.open({ name: "docs", store: new MemoryStore() });
    const pages = new Map<string, Page>();
    for (const page of pagesOf(await response.text())) {
      const { id } = await library.add({ name: `${page.address.slice(1).replaceAll("/", "-")}.md`, text: page.text });
      pages.set(id, page);
    }
    return new Docs(library, pages);
  }

  get hasModel(): boolean {
    return this.#engine !== undefined;
  }

  /** Returns the passages that fit a question best. */
  async find(question: string): Promise<Found[]> {
    const passages = await this.#library.search(question, { limit: 6 });
    return passages.map(({ document, headings, text }, i) => this.#found(i + 1, document.id, headings, text));
  }

  /** Loads a model, for which the visitor asked. */
  async load(model: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void> {
    const { Engine } = await import("hearth-llm");
    this.#engine?.dispose();
    this.#engine = undefined;
    this.#engine = await Engine.create({ model, device: "auto", onProgress, signal });
  }

  /** Answers from the pages; yields the text as far as it has come, and at the end what it cites. */
  async *answer(question: string, signal: AbortSignal): AsyncGenerator<{ text: string; cited: Found[] }> {
    if (this.#engine === undefined) return;
    const { ask } = await import("hearth-llm/documents");
    const messages = [{ role: "user" as const, content: question }];
    const stream = await ask(this.#engine, { library: this.#library, messages, max_tokens: 512, signal });
    let text = "";
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      yield { text, cited: [] };
    }
    const { content } = await stream.message();
    const cited = stream.sources.map((source, i) =>
      this.#found(i + 1, source.document.id, source.headings, source.text),
    );
    yield { text: content ?? text, cited };
  }

  async close(): Promise<void> {
    this.#engine?.dispose();
    await this.#library.close();
  }

  #found(number: number, id: string, headings: string[], text: string): Found {
    const page = this.#pages.get(id);
    const title = page?.title ?? "";
    const titles = [title, ...headings.filter((heading) => heading !== title)];
    const section = titles.length > 1 ? `#${slug((titles.at(-1) ?? "").replaceAll("`", ""))}` : "";
    return { number, address: `${page?.address ?? "/"}${section}`, titles, text };
  }
}
