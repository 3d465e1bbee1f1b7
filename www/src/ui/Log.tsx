/** The open conversation. */
import { useSignal } from "@preact/signals";
import { Fragment, type JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { answering, current, failure, given, newConversation, path } from "../state/chat.js";
import { write } from "../state/draft.js";
import { backend } from "../state/model.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";
import { isFull } from "./ContextRing.js";
import { ErrorCard } from "./ErrorCard.js";
import { Icon } from "./icons.js";
import { MessageView } from "./MessageView.js";

/** Distance from the end, in pixels, within which the page still follows new text. */
const FOLLOW_PX = 80;
/** Distance from the window's beginning or end, in pixels, at which the window moves. */
const NEAR_PX = 400;
/** Messages by which the window moves, and the most it holds: a conversation may have thousands. */
const STEP = 40;
const MOST = 120;

/** The messages that are in the document: `from` up to `to`, which is undefined while the newest are among them. */
interface Window {
  /** Id of the conversation that the messages belong to. */
  of: string | undefined;
  from: number;
  to: number | undefined;
}

export function Log(): JSX.Element {
  const messages = path.value;
  const id = current.value?.id;
  const running = answering.value;
  const count = messages.length;
  const range = useSignal<Window>(newest(id, count));
  const isAway = useSignal(false);
  const root = useRef<HTMLElement>(null);
  const follows = useRef(true);
  /** A visible message and its position, so that it stays in place when the window moves. */
  const anchor = useRef<{ id: string; top: number } | undefined>(undefined);
  const shown = useRef({ id, count });
  shown.current = { id, count };

  const toNewest = (): void => {
    range.value = newest(shown.current.id, shown.current.count);
    follows.current = true;
    requestAnimationFrame(scrollToEnd);
  };
  const move = (): void => {
    const { id: of, count: all } = shown.current;
    const { from, to = all } = range.value;
    const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
    let next: { from: number; to: number } | undefined;
    if (from > 0 && scrollTop < NEAR_PX)
      next = { from: Math.max(0, from - STEP), to: Math.min(to, from - STEP + MOST) };
    else if (to < all && scrollHeight - scrollTop - clientHeight < NEAR_PX) {
      next = { from: Math.max(from, to + STEP - MOST), to: to + STEP };
    }
    if (next === undefined || anchor.current !== undefined) return;
    anchor.current = inSight(root.current);
    range.value = { of, from: next.from, to: next.to < all ? next.to : undefined };
  };

  useEffect(toNewest, [id]);
  useLayoutEffect(() => {
    const kept = anchor.current;
    anchor.current = undefined;
    const element = kept && root.current?.querySelector(`[data-id="${kept.id}"]`);
    if (!kept || !element) return;
    document.documentElement.scrollTop += element.getBoundingClientRect().top - kept.top;
  }, [range.value]);
  // New text is followed as long as its end is in view; the reader may have scrolled up.
  useEffect(() => {
    const onScroll = (): void => {
      follows.current = range.value.to === undefined && isAtEnd();
      isAway.value = !follows.current;
      move();
    };
    const observer = new ResizeObserver(() => {
      if (follows.current && answering.value !== undefined) scrollToEnd();
    });
    observer.observe(document.body);
    addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      removeEventListener("scroll", onScroll);
    };
  }, []);
  useEffect(() => {
    if (running !== undefined && range.value.to !== undefined) toNewest();
    // Buttons are added at the end of an answer.
    else if (running !== undefined || follows.current) scrollToEnd();
  }, [running]);

  // The window may still belong to another conversation, and a new branch may be shorter than the window's position.
  const { of, from: first } = range.value;
  const { from, to } = of === id && first < Math.max(1, count) ? range.value : newest(id, count);
  const failed = failure.value;
  // A line marks where the model's memory begins.
  const beginning = given.value.length < count ? given.value[0]?.id : undefined;
  return (
    <>
      <section id="log" ref={root} class="log" aria-label={t().conversation}>
        {count === 0 && <Hello />}
        {from > 0 && <div class="earlier">{t().earlier(from)}</div>}
        {messages.slice(from, to).map((message, index) => (
          <Fragment key={message.id}>
            {message.id === beginning && <p class="forgotten">{t().memoryBegins}</p>}
            <MessageView message={message} isLast={from + index === count - 1} />
          </Fragment>
        ))}
        {failed !== undefined && <FailedAnswer {...failed} />}
      </section>
      {isAway.value && count > 0 && (
        <button type="button" class="to-end" aria-label={t().toEnd} title={t().toEnd} onClick={toNewest}>
          <Icon name="down" />
        </button>
      )}
    </>
  );
}

const newest = (of: string | undefined, count: number): Window => ({
  of,
  from: Math.max(0, count - STEP),
  to: undefined,
});

function inSight(log: HTMLElement | null): { id: string; top: number } | undefined {
  for (const element of log?.querySelectorAll<HTMLElement>("[data-id]") ?? []) {
    const { top, bottom } = element.getBoundingClientRect();
    if (bottom > 0) return { id: element.dataset.id ?? "", top };
  }
  return undefined;
}

/** Suggestions for an empty conversation. */
function Hello(): JSX.Element {
  return (
    <div class="empty">
      <p>{t().hello}</p>
      <div class="suggestions">
        {t().suggestions.map((question) => (
          <button
            key={question}
            type="button"
            onClick={() => {
              // To be changed before it is sent.
              write(question);
              document.querySelector<HTMLElement>("#prompt")?.focus();
            }}
          >
            {question}
          </button>
        ))}
      </div>
    </div>
  );
}

function FailedAnswer({ error, retry }: { error: unknown; retry: () => void }): JSX.Element {
  const again = { label: t().tryAgain, run: retry };
  const fresh = { label: t().newChat, run: newConversation };
  // A conversation that has outgrown the context fails however often it is sent again.
  const other = {
    label: t().otherModel,
    run: () => {
      dialog.value = "models";
    },
  };
  const isFar = backend.value !== undefined && backend.value.local === undefined;
  const actions = backend.value === undefined ? [] : isFull(error) ? [fresh, again] : isFar ? [again, other] : [again];
  return <ErrorCard error={error} actions={actions} />;
}

function isAtEnd(): boolean {
  const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
  return scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
}

function scrollToEnd(): void {
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
}
