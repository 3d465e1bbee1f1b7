import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const PARIS = '{"city": "Pa\\"ri}s"}';

readsCalls("harmony", [
  [
    "an answer",
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hot, 5 < 6.",
    { reasoning: "Hm.", content: "Hot, 5 < 6." },
  ],
  [
    "a call",
    `<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>${PARIS}<|call|>`,
    { reasoning: "Look.", calls: [{ name: "weather", arguments: PARIS }] },
  ],
  [
    "a call by the other order",
    `<|start|>assistant to=functions.time<|channel|>commentary json<|message|>{}`,
    { calls: [{ name: "time", arguments: "{}" }] },
  ],
]);

losesNothing("harmony", [
  "<|channel|>final<|message|>#",
  "<|channel|>analysis<|message|>#<|end|>",
  "<|start|>assistant",
  '<|start|>assistant<|channel|>commentary to=functions.ta <|constrain|>json<|message|>{"p": "#"}<|call|>',
  "<|channel|>commentary to=functions.ta<|message|>#",
  "<|message|>",
  "<|end|>",
  "<|channel|>",
  "<|mess",
]);

readsInProportion("harmony", ["x", " ", "<|channel|>"]);
