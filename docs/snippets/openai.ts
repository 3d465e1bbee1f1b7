/** OpenAI's client, and LangChain's, on an engine in place of a server. */
import type { Engine } from "hearth-llm";
// #region client
import OpenAI from "openai";
import { createFetch } from "hearth-llm/openai";

export const clientOf = (engine: Engine): OpenAI =>
  new OpenAI({
    apiKey: "none",
    baseURL: "https://hearth.invalid/v1",
    fetch: createFetch(engine),
    dangerouslyAllowBrowser: true,
  });
// #endregion client
