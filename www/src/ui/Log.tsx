/** The open conversation. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { answering, current, failure, newConversation, path, send } from "../state/chat.js";
import { engine } from "../state/model.js";
import { t } from "../text/index.js";
import { HearthError } from "hearth";
import { ErrorCard } from "./ErrorCard.js";
import { Icon } from "./icons.js";
import { MessageView } from "./MessageView.js";

/** How near to its end, in pixels, the page still follows new text. */
const FOLLOW_PX = 80;
/** Messages that are drawn at first, and more each time the reader comes to the oldest. */
const WINDOW = 40;

export function Log(): JSX.Element {
  const shown = useSignal(WINDOW);
  const isAway = useSignal(false);
  const top = useRef<HTMLDivElement>(null);
  const messages = path.value;
  const id = current.value?.id;
  const running = answering.value;
  const first = Math.max(0, messages.length - shown.value);

  useEffect(() => {
    shown.value = WINDOW;
    scrollToEnd();
  }, [id]);

  const follows = useRef(true);
  // New text is followed as long as its end is in sight; the reader may have scrolled up.
  useEffect(() => {
    const onScroll = (): void => {
      follows.current = isAtEnd();
      isAway.value = !follows.current;
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
    // At the end of an answer its buttons come.
    if (running !== undefined || follows.current) scrollToEnd();
  }, [running]);

  // Older messages come as the reader nears them, without what is read moving away.
  const before = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (before.current === undefined) return;
    document.documentElement.scrollTop += document.documentElement.scrollHeight - before.current;
    before.current = undefined;
  });
  useEffect(() => {
    const { current: mark } = top;
    if (mark === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting !== true) return;
      before.current = document.documentElement.scrollHeight;
      shown.value += WINDOW;
    });
    observer.observe(mark);
    return () => {
      observer.disconnect();
    };
  }, [first > 0, id]);

  const failed = failure.value;
  return (
    <>
      <div
        id="log"
        class="log"
        role="log"
        aria-live="polite"
        aria-busy={running !== undefined}
        aria-label={t().conversation}
      >
        {messages.length === 0 && <Hello />}
        {first > 0 && (
          <div class="earlier" ref={top}>
            {t().earlier(first)}
          </div>
        )}
        {messages.slice(first).map((message, index, rest) => (
          <MessageView key={message.id} message={message} isLast={index === rest.length - 1} />
        ))}
        {failed !== undefined && <FailedAnswer {...failed} />}
      </div>
      {isAway.value && messages.length > 0 && (
        <button type="button" class="to-end" aria-label={t().toEnd} title={t().toEnd} onClick={scrollToEnd}>
          <Icon name="down" />
        </button>
      )}
    </>
  );
}

/** Where nothing has been said yet: some things to begin with. */
function Hello(): JSX.Element {
  return (
    <div class="empty">
      <p>{t().hello}</p>
      <div class="suggestions">
        {t().suggestions.map((question) => (
          <button key={question} type="button" onClick={() => void send(question)}>
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
  // A conversation that has outgrown the context fails again however often it is sent.
  const isFull = error instanceof HearthError && error.code === "context_overflow";
  const actions = engine.value === undefined ? [] : isFull ? [fresh, again] : [again];
  return <ErrorCard error={error} actions={actions} />;
}

function isAtEnd(): boolean {
  const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
  return scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
}

function scrollToEnd(): void {
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
}
