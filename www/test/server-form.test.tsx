// @vitest-environment happy-dom
/** The form for a server in a document, with a client whose answers a test dictates. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { HearthError } from "hearth-llm";
import { Remote } from "hearth-llm/remote";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as model from "../src/state/model.js";
import * as form from "../src/state/server.js";
import { ServerForm } from "../src/ui/ServerForm.js";
import { backendOf } from "./backends.js";

const ADDRESS = "http://localhost:8080/v1";
const KEY = "sk-very-secret";

const list = vi.spyOn(Remote, "list");
const connect = vi.spyOn(Remote, "connect");

beforeEach(() => {
  list.mockReset().mockResolvedValue(["a", "b"]);
  connect.mockReset().mockImplementation(({ model = "" }) => {
    const backend = backendOf(async function* () {
      // Nobody asks it.
    }, model);
    // The page uses nothing else of it.
    return Promise.resolve({ model: backend.model, backend } as object as Remote);
  });
});

describe("the form", () => {
  const find = (selector: string): HTMLInputElement => {
    const found = document.body.querySelector<HTMLInputElement>(selector);
    if (found === null) throw new Error(`nothing is ${selector}`);
    return found;
  };
  const type = (selector: string, text: string): Promise<void> =>
    act(() => {
      const field = find(selector);
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  const submit = (selector: string): Promise<void> =>
    act(() => {
      find(selector).dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    });

  async function show(): Promise<void> {
    form.isServerOpen.value = true;
    await act(() => {
      render(<ServerForm />, document.body);
    });
  }

  afterEach(async () => {
    await act(() => {
      render(null, document.body);
    });
    model.unload();
    form.forget();
  });

  it("lists the models, takes the chosen one, and labels every field", async () => {
    await show();
    await type("#server-address", ADDRESS);
    await type("#server-key", KEY);
    await submit("#server-form");
    await vi.waitFor(() => {
      expect(find("#server-status").textContent).toBe("2 models");
    });
    for (const field of document.body.querySelectorAll("input, select")) {
      expect(
        document.body.querySelector(`label[for="${field.id}"]`) ?? field.closest("label"),
        field.id,
      ).not.toBeNull();
    }
    await act(() => {
      const choice = find("#server-model");
      choice.value = "b";
      choice.dispatchEvent(new Event("change", { bubbles: true }));
    });
    expect(find("#server-use").textContent).toBe("Continue on localhost:8080");
    await submit("#server-models");
    await vi.waitFor(() => {
      expect(model.model.value).toMatchObject({ name: "running", choice: { server: ADDRESS, model: "b" } });
    });
    for (const asked of [list, connect]) {
      expect(asked).toHaveBeenCalledOnce();
      expect(asked.mock.lastCall?.[0]).toMatchObject({ baseURL: ADDRESS, apiKey: KEY });
    }
  });

  it("does not hand one server's key to another", async () => {
    await show();
    await type("#server-address", ADDRESS);
    await type("#server-key", KEY);
    await type("#server-address", `${ADDRESS}/more`);
    expect(find("#server-key").value).toBe(KEY);
    await type("#server-address", "https://example.org/v1");
    expect(find("#server-key").value).toBe("");
  });

  it("says what failed, and takes a model's name where none are listed", async () => {
    list.mockRejectedValue(new HearthError("remote_error", "it answered 404"));
    await show();
    await type("#server-address", ADDRESS);
    await submit("#server-form");
    await vi.waitFor(() => {
      expect(find("[role=alert]").dataset.code).toBe("remote_error");
    });
    await type("#server-model", "m");
    await submit("#server-models");
    await vi.waitFor(() => {
      expect(model.backend.value?.model.name).toBe("m");
    });
  });
});
