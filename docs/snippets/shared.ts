import { SharedEngine } from "hearth-llm/shared";

const engine = await SharedEngine.create({
  model: "Qwen/Qwen3-0.6B-GGUF",
  onRole: (role) => {
    console.log(role); // "leader": this tab has the model; "follower": another one has it
  },
});
const answer = await engine.chat.completions.create({ messages: [{ role: "user", content: "Name three rivers." }] });
console.log(answer.choices[0]?.message.content);
