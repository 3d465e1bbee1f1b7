/** LangChain's chat model on an engine. */
import type { Engine } from "hearth-llm";
// #region model
import { ChatOpenAI } from "@langchain/openai";
import { createFetch } from "hearth-llm/openai";

export const chatOf = (engine: Engine): ChatOpenAI =>
  new ChatOpenAI({
    apiKey: "none",
    configuration: {
      baseURL: "https://hearth.invalid/v1",
      fetch: createFetch(engine),
      dangerouslyAllowBrowser: true,
    },
  });
// #endregion model
