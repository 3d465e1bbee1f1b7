import type { ChatCompletionTool } from "../../api/openai.js";
import type { AnswerFormat } from "../../core/wasm-contract.js";
import type { CallTexts } from "../../tools/messages.js";
import type { Parser, Schemas } from "../../tools/parts.js";

/** Style in which models write tool calls. */
export interface Style {
  /**
   * Whether every answer has this form, with or without tools. Then its marks are special tokens, and the parser also
   * separates the thoughts.
   */
  readonly wrapsAnswers?: true;
  /** Marks around the text of an answer that are no part of it. */
  readonly unwraps?: readonly string[];
  /** Creates the parser of one answer by a model that may call these tools. */
  readonly parser: (schemas: Schemas) => Parser;
  /** Returns the format of one or more calls of these tools; of exactly one without `parallel`. */
  readonly format: (tools: ChatCompletionTool[], parallel: boolean) => AnswerFormat;
}

/** Style that can be described to a model in its messages. */
export interface DescribedStyle extends Style {
  readonly texts: CallTexts;
}
