import { generateText, streamText } from "ai";
import { openai } from "./ai-sdk-models.js"; // was: from "@ai-sdk/openai"

const { textStream } = streamText({
  model: openai("gpt-4.1"),
  prompt: "Invent a new holiday and describe its traditions.",
});
for await (const textPart of textStream) console.log(textPart);

const { text, usage } = await generateText({
  model: openai("gpt-4.1"),
  instructions: "You write short, friendly mails.",
  prompt: "Invite the neighbours to that holiday.",
});
console.log(text, usage.totalTokens);
