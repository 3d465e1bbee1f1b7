/** Table of the styles in which models write tool calls; `modelfile` detects a model's style from its template. */
import type { ToolStyle } from "../../core/wasm-contract.js";
import { harmony } from "./harmony.js";
import { hermes } from "./hermes.js";
import { llama } from "./llama.js";
import { mistral } from "./mistral.js";
import type { Style, DescribedStyle } from "./style.js";
import { xml } from "./xml.js";

export const STYLES: Record<ToolStyle, Style> = { hermes, xml, llama, mistral, harmony };

/** Style described to models whose template supports no tools, or writes calls in none of these styles. */
export const FALLBACK: DescribedStyle = hermes;
