/** `audio.transcriptions` and `audio.translations`: OpenAI's create(), answered by a model in a worker. */
import { ChunkQueue } from "../backend/chunk-queue.js";
import type { Sent } from "../backend/backend.js";
import type { RequestOptions } from "../api/openai.js";
import { streamed, whole } from "../api/request.js";
import type { CompletionStream } from "../api/stream.js";
import { toHearthError } from "../core/errors.js";
import { toSound } from "./decode.js";
import type { Speech } from "./link.js";
import type { RunOptions, SpeechEvent } from "./module.js";
import type {
  AudioTextFormat,
  Transcription,
  TranscriptionCreateParams,
  TranscriptionCreateParamsNonStreaming,
  TranscriptionCreateParamsStreaming,
  TranscriptionStreamEvent,
  TranscriptionVerbose,
} from "./openai.js";
import { toSpeechRequest, type SpeechRequest } from "./request.js";
import { Transcript } from "./transcript.js";

/** Stream of a transcription's events. */
export type TranscriptionStream = CompletionStream<TranscriptionStreamEvent>;
/** Answer in any of the formats. */
export type TranscriptionAnswer = Transcription | TranscriptionVerbose | string;

type Params = Sent<TranscriptionCreateParams>;

/** Requests for one task; without a public constructor of its own. */
abstract class SpeechRequests {
  readonly #task: RunOptions["task"];
  readonly #speech: Speech;

  /** @internal */
  constructor(task: RunOptions["task"], speech: Speech) {
    this.#task = task;
    this.#speech = speech;
  }

  create(params: TranscriptionCreateParamsStreaming, options?: RequestOptions): Promise<TranscriptionStream>;
  create(
    params: TranscriptionCreateParamsNonStreaming<"json" | undefined>,
    options?: RequestOptions,
  ): Promise<Transcription>;
  create(
    params: TranscriptionCreateParamsNonStreaming<"verbose_json">,
    options?: RequestOptions,
  ): Promise<TranscriptionVerbose>;
  create(params: TranscriptionCreateParamsNonStreaming<AudioTextFormat>, options?: RequestOptions): Promise<string>;
  create(
    params: TranscriptionCreateParams,
    options?: RequestOptions,
  ): Promise<TranscriptionAnswer | TranscriptionStream>;
  // Async, so that an invalid request rejects instead of throwing.
  async create(
    params: TranscriptionCreateParams,
    options: RequestOptions = {},
  ): Promise<TranscriptionAnswer | TranscriptionStream> {
    if (params.stream === true) return streamed(params, options, (sent, { signal }) => this.#stream(sent, signal));
    return whole(params, options, (sent, { signal }) => this.#whole(sent, signal));
  }

  async #whole(params: Params, signal: AbortSignal): Promise<TranscriptionAnswer> {
    const speech = this.#speech;
    const request = toSpeechRequest(this.#task, params, speech.model);
    const transcript = await this.#run(params, request, signal);
    switch (request.format) {
      case "json":
        return transcript.toJson();
      case "verbose_json":
        return transcript.toVerbose(request, speech.model);
      case "text":
        return transcript.text;
      case "srt":
      case "vtt": {
        const cues = transcript.segments.map(({ start, end, text }) => ({ start, end, text }));
        return await speech.subtitles(request.format, cues);
      }
    }
  }

  // Async, so that an invalid request rejects instead of throwing.
  // eslint-disable-next-line @typescript-eslint/require-await
  async #stream(params: Params, signal: AbortSignal): Promise<AsyncIterable<TranscriptionStreamEvent>> {
    const request = toSpeechRequest(this.#task, params, this.#speech.model);
    const events = new ChunkQueue<TranscriptionStreamEvent>();
    this.#run(params, request, signal, (delta) => {
      events.push({ type: "transcript.text.delta", delta });
    }).then(
      ({ text }) => {
        events.push({ type: "transcript.text.done", text });
        events.close();
      },
      (error: unknown) => {
        events.fail(toHearthError(error));
      },
    );
    return events;
  }

  async #run(
    { file, onProgress }: Params,
    { options }: SpeechRequest,
    signal: AbortSignal,
    onText?: (delta: string) => void,
  ): Promise<Transcript> {
    const speech = this.#speech;
    const sound = await toSound(file, (bytes) => speech.decodeWav(bytes), signal);
    const transcript = new Transcript();
    const onEvent = (event: SpeechEvent): void => {
      const delta = transcript.take(event);
      if (delta !== "") onText?.(delta);
      if (event.type !== "language") onProgress?.(transcript.progress);
    };
    await speech.transcribe(sound, options, { signal, onEvent });
    return transcript;
  }
}

/** Writes recordings down in the language that is spoken. */
export class Transcriptions extends SpeechRequests {
  /** @internal */
  constructor(speech: Speech) {
    super("transcribe", speech);
  }
}

/** Writes recordings down in English, whatever language is spoken; a model for English alone refuses it. */
export class Translations extends SpeechRequests {
  /** @internal */
  constructor(speech: Speech) {
    super("translate", speech);
  }
}
