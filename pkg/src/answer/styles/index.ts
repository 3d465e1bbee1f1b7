/** Table of the styles in which models write tool calls; `modelfile` detects a model's style from its template. */
import type { ToolStyle } from "../../core/wasm-contract.js";
import { cohere } from "./cohere.js";
import { gemma4 } from "./gemma4.js";
import { glm } from "./glm.js";
import { granite, phi } from "./granite.js";
import { harmony } from "./harmony.js";
import { hermes } from "./hermes.js";
import { llama } from "./llama.js";
import { mistral, mistralArgs, mistralIds } from "./mistral.js";
import { pythonic } from "./pythonic.js";
import type { Style, DescribedStyle } from "./style.js";
import { xml } from "./xml.js";

export const STYLES: Record<ToolStyle, Style> = {
  hermes,
  xml,
  glm,
  llama,
  mistral,
  mistral_ids: mistralIds,
  mistral_args: mistralArgs,
  harmony,
  gemma4,
  pythonic,
  granite,
  phi,
  cohere,
};

/** Style described to models whose template supports no tools, or writes calls in none of these styles. */
export const FALLBACK: DescribedStyle = hermes;
