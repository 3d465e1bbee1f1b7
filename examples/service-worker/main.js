/**
 * After the first visit this page needs no server: the service worker caches the program, the package caches the model.
 */
const status = document.querySelector("#status");
const params = new URLSearchParams(location.search);

/** Resolves once requests go via the service worker. */
async function controlled() {
  await navigator.serviceWorker.register("./sw.js");
  if (navigator.serviceWorker.controller !== null) return;
  await new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
  });
}

try {
  await controlled();
  const { Engine } = await import("hearth-llm");
  const engine = await Engine.create({ model: params.get("model"), device: params.get("device") ?? "auto" });
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "Hi" }],
    max_tokens: 16,
    temperature: 0,
  });
  document.querySelector("#output").textContent = choices[0].message.content;
  status.textContent = "Done";
} catch (error) {
  status.textContent = String(error);
}
