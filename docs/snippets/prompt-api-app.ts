import { LanguageModel } from "./prompt-api-model.js"; // the one line more

if ((await LanguageModel.availability()) !== "unavailable") {
  const session = await LanguageModel.create({
    initialPrompts: [{ role: "system", content: "You answer in one sentence." }],
    monitor(m) {
      m.addEventListener("downloadprogress", (e) => {
        console.log(`Downloaded ${String((e as ProgressEvent).loaded * 100)}%`);
      });
    },
  });
  console.log(await session.prompt("What is the tallest mountain?"));
  const stream = session.promptStreaming("And the longest river?");
  for await (const chunk of stream) console.log(chunk);
  session.destroy();
}
