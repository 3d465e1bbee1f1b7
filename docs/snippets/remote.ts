/** Models on a server, the browser's own, and the choice between them and this device. */
import type { ChatCompletionMessageParam } from "hearth-llm";
import { BuiltIn, Remote, Router } from "hearth-llm/remote";

export async function connect(apiKey: string): Promise<Remote> {
  // #region server
  const remote = await Remote.connect({ baseURL: "http://localhost:8000/v1", apiKey });
  const messages = [{ role: "user" as const, content: "Name three rivers." }];
  const stream = await remote.chat.completions.create({ messages, stream: true });
  for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content ?? "", chunk.served_by?.where);
  // #endregion server
  return remote;
}

export async function builtIn(messages: ChatCompletionMessageParam[]): Promise<string> {
  // #region browser
  const browser = await BuiltIn.connect();
  const answer = await browser.chat.completions.create({ messages });
  // #endregion browser
  return answer.choices[0]?.message.content ?? "";
}

export async function route(remote: Remote): Promise<Router> {
  // #region router
  const router = await Router.create({
    local: { model: "Qwen/Qwen3-4B-GGUF" },
    remote,
    prefer: "fit",
    onRoute: console.log,
  });
  // #endregion router
  return router;
}
