// @vitest-environment happy-dom
/** The error boundary in a document, with Preact as the page has it. */
import { signal } from "@preact/signals";
import { render, type JSX } from "preact";
import { act } from "preact/test-utils";
import { HearthError } from "hearth-llm";
import { afterEach, describe, expect, it } from "vitest";
import { Boundary } from "../src/ui/Boundary.js";

/** The fault that the child throws; undefined while it is well. */
const fault = signal<Error | undefined>(undefined);

function Child(): JSX.Element {
  if (fault.value !== undefined) throw fault.value;
  return <p id="child">Well</p>;
}

async function show(): Promise<void> {
  await act(() => {
    render(
      <main>
        <h1>The page</h1>
        <Boundary>
          <Child />
        </Boundary>
        <Boundary>
          <p id="neighbour">Well, too</p>
        </Boundary>
      </main>,
      document.body,
    );
  });
}

const find = (selector: string): Element | null => document.querySelector(selector);

afterEach(() => {
  fault.value = undefined;
  render(null, document.body);
});

describe("an exception in a boundary's children", () => {
  it.each([
    ["as they are drawn first", true],
    ["as they are drawn again", false],
  ])("is shown in their place, and leaves the page: %s", async (_, isFirst) => {
    const error = new HearthError("internal_error", "the drawing failed", { hint: "Reload." });
    if (isFirst) fault.value = error;
    await show();
    if (!isFirst) {
      expect(find("#child")).not.toBeNull();
      await act(() => {
        fault.value = error;
      });
    }
    expect(find("#child")).toBeNull();
    expect(document.body.textContent).toContain("The drawing failed");
    expect(find("[role=alert]")).not.toBeNull();
    expect(find("h1")?.textContent).toBe("The page");
    expect(find("#neighbour")?.textContent).toBe("Well, too");
  });

  it("is shown whatever was thrown", async () => {
    fault.value = "a mere text" as unknown as Error;
    await show();
    expect(document.body.textContent).toContain("a mere text");
  });

  it("is gone after another try, once its reason is", async () => {
    fault.value = new Error("no luck");
    await show();
    const button = (): HTMLButtonElement | null => document.querySelector("[role=alert] button");
    // As long as the reason stays, so does the card.
    await act(() => {
      button()?.click();
    });
    expect(document.body.textContent).toContain("no luck");
    expect(find("#child")).toBeNull();
    fault.value = undefined;
    await act(() => {
      button()?.click();
    });
    expect(find("#child")?.textContent).toBe("Well");
    expect(find("[role=alert]")).toBeNull();
  });
});
