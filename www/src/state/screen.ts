/** The view in the middle of the page; a conversation can be read without a model. */
import { computed } from "@preact/signals";
import { path } from "./chat.js";
import { isStarting, model } from "./model.js";

export const screen = computed((): "starting" | "welcome" | "loading" | "failure" | "chat" | "reading" => {
  const { name } = model.value;
  if (name === "running") return "chat";
  if (name === "loading" || name === "paused") return "loading";
  if (name === "failed" || name === "ended") return "failure";
  if (isStarting.value) return "starting";
  return path.value.length > 0 ? "reading" : "welcome";
});
