/** One message and its actions. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { formatDuration } from "../lib/format.js";
import { isEscape, isSubmit } from "../lib/keys.js";
import { chipAt, linkCitations, showSupport } from "../markdown/citations.js";
import { MarkdownView } from "../markdown/render.js";
import type { Answering } from "../state/answering.js";
import { awaited } from "../state/interrupted.js";
import { canContinue } from "../state/journal.js";
import { answering, branchesOf, canAsk, edit, goOn, regenerate, switchBranch } from "../state/chat.js";
import { backend } from "../state/model.js";
import { fork } from "../state/fork.js";
import { placeText } from "../state/place.js";
import { picturesOf, sourcesOf, textOf, type FilePart } from "../store/parts.js";
import type { SourcesPart } from "../store/sources.js";
import type { AnswerEnd, AnswerStats, Message } from "../store/tree.js";
import { language, t } from "../text/index.js";
import { CopyButton } from "./CopyButton.js";
import { IconButton } from "./icons.js";
import { lazily } from "./lazily.js";
import { memo } from "./memo.js";
import { showSource } from "./show-source.js";
import { Thoughts } from "./Thoughts.js";

const MessagePictures = lazily(async () => (await import("./MessagePictures.js")).MessagePictures);
const Sources = lazily(async () => (await import("./Sources.js")).Sources);

interface Props {
  message: Message;
  isLast: boolean;
}

/** Rendered again only when the message itself changes: a conversation may have thousands. */
export const MessageView = memo(function MessageView({ message, isLast }: Props): JSX.Element {
  return message.role === "user" ? <Question message={message} /> : <Answer message={message} isLast={isLast} />;
});

function Question({ message }: { message: Message }): JSX.Element {
  const isEditing = useSignal(false);
  const content = textOf(message);
  const pictures = picturesOf(message);
  if (isEditing.value) {
    return (
      <article class="message user editing" data-id={message.id}>
        <QuestionEditor
          message={message}
          onDone={(changed, without) => {
            isEditing.value = false;
            if (changed !== undefined) void edit(message, changed, without);
          }}
        />
      </article>
    );
  }
  return (
    <article class="message user" data-id={message.id}>
      {pictures.length > 0 && <MessagePictures conversation={message.conversation} pictures={pictures} />}
      {(content !== "" || pictures.length === 0) && (
        <div class="bubble" dir="auto">
          {content}
        </div>
      )}
      <p class="foot">
        <Branches message={message} />
        <CopyButton text={content} />
        {canAsk.value && (
          <IconButton
            name="edit"
            label={t().editQuestion}
            onClick={() => {
              isEditing.value = true;
            }}
          />
        )}
      </p>
    </article>
  );
}

function QuestionEditor({
  message,
  onDone,
}: {
  message: Message;
  /** Called with the new text, undefined to leave all as it was, and the pictures that are not wanted any more. */
  onDone: (changed: string | undefined, without: readonly FilePart[]) => void;
}): JSX.Element {
  const content = textOf(message);
  const field = useRef<HTMLTextAreaElement>(null);
  const without = useSignal<readonly FilePart[]>([]);
  const pictures = picturesOf(message).filter((part) => !without.value.includes(part));
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(content.length, content.length);
  }, []);
  const submit = (): void => {
    const changed = field.current?.value.trim() ?? "";
    if (changed !== "" || pictures.length > 0) onDone(changed, without.value);
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {pictures.length > 0 && (
        <MessagePictures
          conversation={message.conversation}
          pictures={pictures}
          onRemove={(part) => {
            without.value = [...without.value, part];
            field.current?.focus();
          }}
        />
      )}
      <textarea
        class="edit"
        dir="auto"
        ref={field}
        rows={Math.min(10, content.split("\n").length + 1)}
        aria-label={t().editQuestion}
        defaultValue={content}
        onKeyDown={(event) => {
          if (isEscape(event)) onDone(undefined, []);
          if (!isSubmit(event)) return;
          event.preventDefault();
          submit();
        }}
      />
      <div class="row end">
        <button
          type="button"
          onClick={() => {
            onDone(undefined, []);
          }}
        >
          {t().cancel}
        </button>
        <button type="submit" class="primary">
          {t().send}
        </button>
      </div>
    </form>
  );
}

function Answer({ message, isLast }: Props): JSX.Element {
  const live = answering.value?.id === message.id ? answering.value : undefined;
  const content = live?.text.value ?? textOf(message);
  const reasoning = live?.reasoning.value ?? message.reasoning;
  const sources = live === undefined ? sourcesOf(message) : live.sources.value;
  const stats = live === undefined ? message.stats : live.stats.value;
  const unseen = live === undefined ? (message.unseen ?? 0) : live.unseen.value;
  const state = live === undefined ? message.end : live.hasBegun.value ? "streaming" : "waiting";
  const canGoOn = message.end === "stopped" || message.end === "length";
  const running = backend.value;
  const isAwaited = live === undefined && isLast && awaited.value === message.conversation;
  return (
    // `data-source` holds the text as the model wrote it, for copying; the rendered text has lost its Markdown.
    <article
      class="message assistant"
      data-id={message.id}
      data-state={state}
      data-source={live === undefined ? content : undefined}
      aria-label={message.model === "" ? t().answer : t().answerOf(message.model)}
    >
      {unseen > 0 && (
        <p class="left-out muted small" role="note">
          {t().leftOut(unseen)}
        </p>
      )}
      {reasoning !== "" && <Thoughts text={reasoning} {...timesOf(message, live)} />}
      <Markdown text={content} isLive={live !== undefined} sources={sources} />
      {sources !== undefined && <Sources part={sources} />}
      <p class="foot">
        {live === undefined && (
          <>
            <Branches message={message} />
            <CopyButton text={content} />
            {canAsk.value && (
              <IconButton name="again" label={t().regenerate} onClick={() => void regenerate(message)} />
            )}
            {canAsk.value && isLast && canGoOn && canContinue(running, message) && (
              <IconButton name="goOn" label={t().goOn} onClick={() => void goOn(message)} />
            )}
            <IconButton name="fork" label={t().fork} onClick={() => void fork(message)} />
          </>
        )}
        <Places message={message} />
        <span class="stats">
          {isAwaited
            ? t().interrupted
            : statsLine(stats, live === undefined ? message.end : "running", state === "waiting" ? live : undefined)}
        </span>
      </p>
    </article>
  );
}

/** Returns how long the thoughts took, or when those that go on have begun. */
function timesOf(
  message: Message,
  live: Answering | undefined,
): { seconds: number | undefined; since: number | undefined } {
  const thought = live?.thought.value;
  if (thought === undefined) return { seconds: message.thought, since: undefined };
  const { from, to } = thought;
  return to === undefined ? { seconds: undefined, since: from } : { seconds: (to - from) / 1000, since: undefined };
}

/** Says where an answer was made. */
function Places({ message: { places = [] } }: { message: Message }): JSX.Element | null {
  const last = places.at(-1);
  if (last === undefined) return null;
  return (
    <span class="place" data-where={last.where}>
      {places.map(placeText).join(", ")}
    </span>
  );
}

/** Renders a growing text once a frame, since tokens may arrive faster than frames. */
function Markdown({
  text,
  isLive,
  sources,
}: {
  text: string;
  isLive: boolean;
  /** Passages that the text may cite. */
  sources: SourcesPart | undefined;
}): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const view = useRef<MarkdownView | undefined>(undefined);
  const latest = useRef(text);
  const frame = useRef<number | undefined>(undefined);
  latest.current = text;
  // The buttons in code blocks are in the visitor's language.
  const shownIn = language.value;
  useLayoutEffect(() => {
    if (root.current === null) return;
    root.current.replaceChildren();
    view.current = new MarkdownView(root.current, (block) => {
      if (sources !== undefined) linkCitations(block, sources);
    });
  }, [shownIn, sources]);
  useLayoutEffect(() => {
    if (!isLive) {
      view.current?.update(text);
      if (root.current !== null && sources !== undefined) showSupport(root.current, sources);
      return;
    }
    frame.current ??= requestAnimationFrame(() => {
      frame.current = undefined;
      view.current?.update(latest.current);
    });
  }, [text, isLive, shownIn, sources]);
  useLayoutEffect(
    () => () => {
      if (frame.current !== undefined) cancelAnimationFrame(frame.current);
    },
    [],
  );
  return (
    <div
      class="answer"
      ref={root}
      onClick={(event) => {
        const chip = root.current === null ? undefined : chipAt(root.current, event.target);
        if (chip !== undefined && sources !== undefined) showSource({ part: sources, ...chip });
      }}
    />
  );
}

function Branches({ message }: { message: Message }): JSX.Element | null {
  const { index, count } = branchesOf(message);
  if (count < 2) return null;
  const isBusy = answering.value !== undefined;
  return (
    <span class="branches">
      <IconButton
        name="previous"
        label={t().previousBranch}
        disabled={isBusy || index === 0}
        onClick={() => void switchBranch(message, -1)}
      />
      <span aria-label={t().branch(index + 1, count)}>{`${String(index + 1)}/${String(count)}`}</span>
      <IconButton
        name="next"
        label={t().nextBranch}
        disabled={isBusy || index === count - 1}
        onClick={() => void switchBranch(message, 1)}
      />
    </span>
  );
}

/** Describes an answer, or what the model does before its first word: it reads, and looks at some pictures. */
function statsLine(stats: AnswerStats | null, end: AnswerEnd, waiting?: Answering): string {
  const parts: string[] = [];
  if (stats !== null) {
    const { tokensPerSecond, firstToken, tokens, drafted } = stats;
    if (tokensPerSecond !== null) parts.push(`${tokensPerSecond.toFixed(1)} tok/s`);
    if (firstToken !== null) parts.push(t().firstToken(formatDuration(firstToken)));
    if (tokens > 0) parts.push(t().tokens(tokens));
    if (drafted > 0) parts.push(t().drafted(drafted));
  }
  if (end === "length") parts.push(t().cutOff);
  if (end === "stopped") parts.push(t().stopped);
  return parts.join(" · ") || (end === "running" ? beforeFirst(waiting) : "");
}

/** Long prompts, and slow devices, take their time before the first word: how much of it has passed is told. */
function beforeFirst(waiting: Answering | undefined): string {
  const { share = 0, left, looked } = waiting?.read.value ?? {};
  const looking = waiting?.looking ?? 0;
  if (looked !== undefined) return t().lookingShare(Math.max(1, looking), Math.floor(100 * looked));
  if (share > 0 && share < 1) {
    const percent = t().readingShare(Math.floor(100 * share));
    return left === undefined || left < 1 ? percent : `${percent} · ${t().left(formatDuration(Math.ceil(left)))}`;
  }
  return looking > 0 ? t().looking(looking) : t().reading;
}
