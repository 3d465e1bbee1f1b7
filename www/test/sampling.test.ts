/** Origins of a request's sampling: the visitor, the model's files, the list of models. */
import { expect, it } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import { DEFAULT_MODEL } from "../src/models/catalog.js";
import { backendOf } from "./backends.js";
import { openPage } from "./page.js";

useFakeCore();

it("is what the model's files advise, where the visitor has set nothing else", async () => {
  const { chat, sampling, use } = await openPage();
  fake.sampling = { temperature: 0.6, top_k: 20, min_p: 0.01 };
  use((await create()).backend, DEFAULT_MODEL);
  expect(sampling.advised.value).toEqual(fake.sampling);
  sampling.setSampling({ top_k: 5 });
  chat.newConversation();
  await chat.send("!echo one");
  expect(fake.request).toMatchObject({ temperature: 0.6, top_k: 5, min_p: 0.01 });
});

it("is the list's for files without advice, and for models elsewhere", async () => {
  const { sampling, use } = await openPage();
  const { advised } = sampling;
  const listed = { temperature: 0.2, top_p: 0.9 };
  expect(advised.value).toEqual(listed);
  use((await create()).backend, DEFAULT_MODEL);
  expect(advised.value).toEqual(listed);
  use(
    backendOf(() => {
      throw new Error("it is not asked");
    }),
    DEFAULT_MODEL,
  );
  expect(advised.value).toEqual(listed);
});
