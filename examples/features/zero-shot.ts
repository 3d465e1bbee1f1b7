/** Zero-shot classification: which of some labels fits a picture, by a model that compares pictures with texts (CLIP, SigLIP). */
import { load, run, say, write } from "./page.js";

const LABELS = ["a red square", "a green circle", "a blue triangle"];

/** Draws a red square on white. */
function drawn(): OffscreenCanvas {
  const canvas = new OffscreenCanvas(224, 224);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser draws nothing");
  context.fillStyle = "white";
  context.fillRect(0, 0, 224, 224);
  context.fillStyle = "red";
  context.fillRect(56, 56, 112, 112);
  return canvas;
}

/** Embeddings have length 1, so their dot product is the cosine. */
const cosine = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

function softmax(logits: number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

run(async () => {
  const engine = await load("openai/clip-vit-base-patch32");
  const { similarity } = engine.model;
  if (similarity === null) throw new Error("this model compares no pictures with texts");
  say("Looking");
  const { data } = await engine.embeddings.create({
    input: [{ type: "image_url", image_url: { url: drawn() } }, ...LABELS.map((label) => `a photo of ${label}`)],
  });
  const [picture = [], ...texts] = data.map(({ embedding }) => embedding as number[]);
  const logits = texts.map((text) => similarity.scale * cosine(picture, text) + similarity.bias);
  const probabilities =
    similarity.function === "softmax" ? softmax(logits) : logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  const lines = LABELS.map((label, i) => ({ label, share: probabilities[i] ?? 0 }));
  lines.sort((a, b) => b.share - a.share);
  write(lines.map(({ label, share }) => `${(100 * share).toFixed(1)} % ${label}`).join("\n"));
});
