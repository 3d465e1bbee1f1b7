/** The list of conversations: open, find, rename, delete, import and export. */
import { batch, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { saveText, slug } from "../lib/files.js";
import { groupByDay } from "../lib/days.js";
import { isEscape, NEW_CHAT_KEYS, SEARCH_KEYS } from "../lib/keys.js";
import { answerings } from "../state/answers.js";
import * as chat from "../state/chat.js";
import { search } from "../state/search.js";
import { exportAll } from "../state/storage.js";
import { showToast } from "../state/toast.js";
import type { Conversation } from "../store/db.js";
import { toMarkdown } from "../store/exchange.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";
import { Icon, IconButton } from "./icons.js";
import { takeFiles } from "./intake.js";
import { SearchField } from "./SearchField.js";

/** Whether the sidebar is open; on narrow screens it then covers the page. */
export const isSidebarOpen = signal(false);

const words = signal("");
/** Search results; undefined while there is no search. */
const found = signal<Map<string, string> | undefined>(undefined);
const renaming = signal<string | undefined>(undefined);
const message = signal("");

const SEARCH_DELAY_MS = 150;
/** Conversations listed at first, and by which the list grows. */
const MOST_SHOWN = 200;
const most = signal(MOST_SHOWN);

export function Sidebar(): JSX.Element {
  const hits = found.value;
  const all = chat.conversations.value;
  const shown = hits === undefined ? all : all.filter(({ id }) => hits.has(id));
  const listed = shown.slice(0, most.value);
  useSearch();
  return (
    <nav
      id="sidebar"
      class="sidebar"
      aria-label={t().conversations}
      data-open={isSidebarOpen.value}
      onKeyDown={(event) => {
        if (!isEscape(event) || !isSidebarOpen.value || event.target instanceof HTMLInputElement) return;
        // It would stop the answer as well.
        event.stopPropagation();
        close();
      }}
    >
      <div class="brand">
        <img src="./favicon.svg" alt="" width="26" height="26" />
        <span>Hearth</span>
        <span class="only-narrow">
          <IconButton id="close-sidebar" name="close" label={t().close} onClick={close} />
        </span>
      </div>
      <button
        id="new-chat"
        type="button"
        aria-keyshortcuts={NEW_CHAT_KEYS}
        title={t().newChatKeys}
        class="line"
        onClick={() => {
          chat.newConversation();
          close();
        }}
      >
        <Icon name="plus" />
        {t().newChat}
      </button>
      <SearchField id="search" label={t().search} words={words} keys={SEARCH_KEYS} />
      <div id="conversations" class="conversations">
        {hits === undefined ? (
          groupByDay(listed, ({ updated }) => updated, Date.now()).map(({ day, items }) => (
            <section key={day} aria-labelledby={`day-${day}`}>
              <p id={`day-${day}`} class="day">
                {t().days[day]}
              </p>
              <Entries conversations={items} />
            </section>
          ))
        ) : (
          <Entries conversations={listed} hits={hits} />
        )}
        {shown.length > listed.length && (
          <button
            type="button"
            class="line"
            onClick={() => {
              most.value += MOST_SHOWN;
            }}
          >
            {t().showMore}
          </button>
        )}
      </div>
      {shown.length === 0 && <p class="muted small">{hits === undefined ? t().noConversations : t().nothingFound}</p>}
      {!chat.isKept.value && <p class="muted small">{t().notKept}</p>}
      <p class="muted small" role="status">
        {message.value}
      </p>
      <div class="sidebar-foot">
        <Transfers />
        <button id="open-documents" type="button" class="line" onClick={open("documents")}>
          <Icon name="book" />
          {t().documents}
        </button>
        <button id="open-speech" type="button" class="line" onClick={open("speech")}>
          <Icon name="microphone" />
          {t().speech}
        </button>
        <button id="open-translate" type="button" class="line" onClick={open("translate")}>
          <Icon name="languages" />
          {t().translate}
        </button>
        <button id="open-performance" type="button" class="line" onClick={open("performance")}>
          <Icon name="gauge" />
          {t().performance}
        </button>
        <button id="open-settings" type="button" class="line" onClick={open("settings")}>
          <Icon name="settings" />
          {t().settings}
        </button>
      </div>
    </nav>
  );
}

/** Opens the sidebar over the page, which it hides from the keyboard meanwhile. */
export function openSidebar(): void {
  isSidebarOpen.value = true;
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#close-sidebar")?.focus());
}

/** Closes the sidebar when the window becomes wide enough to show it beside the page. */
export function watchWidth(): void {
  matchMedia("(max-width: 52rem)").addEventListener("change", () => {
    isSidebarOpen.value = false;
  });
}

function close(): void {
  if (!isSidebarOpen.value) return;
  isSidebarOpen.value = false;
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#menu")?.focus());
}

const open = (name: "documents" | "speech" | "translate" | "performance" | "settings") => (): void => {
  batch(() => {
    dialog.value = name;
    close();
  });
};

function useSearch(): void {
  const wanted = words.value.trim();
  useEffect(() => {
    if (wanted === "") {
      found.value = undefined;
      return;
    }
    let isOld = false;
    const timer = setTimeout(() => {
      void search(wanted).then((hits) => {
        if (!isOld) found.value = hits;
      });
    }, SEARCH_DELAY_MS);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [wanted, chat.conversations.value]);
}

function Entries({
  conversations,
  hits,
}: {
  conversations: readonly Conversation[];
  /** Text found in each. */
  hits?: ReadonlyMap<string, string>;
}): JSX.Element {
  return (
    <ul>
      {conversations.map((conversation) => (
        <li key={conversation.id}>
          <Entry conversation={conversation} snippet={hits?.get(conversation.id) ?? ""} />
        </li>
      ))}
    </ul>
  );
}

function Entry({ conversation, snippet }: { conversation: Conversation; snippet: string }): JSX.Element {
  const { id, title } = conversation;
  const isOpen = chat.current.value?.id === id;
  const isAnswering = answerings.value.has(id);
  if (renaming.value === id) return <TitleEditor id={id} title={title} />;
  return (
    <div class="entry" data-open={isOpen}>
      <button
        type="button"
        class="entry-title"
        aria-current={isOpen ? "true" : undefined}
        onClick={() => {
          void chat.openConversation(id);
          close();
        }}
      >
        <span dir="auto" title={title}>
          {title}
        </span>
        {snippet !== "" && <small>{snippet}</small>}
        {isAnswering && !isOpen && <small>{t().answering}</small>}
      </button>
      <IconButton
        name="edit"
        label={t().rename(title)}
        onClick={() => {
          renaming.value = id;
        }}
      />
      <IconButton
        name="trash"
        label={t().remove(title)}
        onClick={() => {
          void chat.remove(id).then((undo) => {
            showToast({ text: t().removed(title), action: { label: t().undo, run: () => void undo() } });
          });
        }}
      />
    </div>
  );
}

function TitleEditor({ id, title }: { id: string; title: string }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.select();
  }, []);
  const done = (isKept: boolean): void => {
    if (renaming.value !== id) return;
    renaming.value = undefined;
    if (isKept) void chat.rename(id, field.current?.value ?? title);
  };
  return (
    <form
      class="entry"
      onSubmit={(event) => {
        event.preventDefault();
        done(true);
      }}
    >
      <input
        class="title-field"
        ref={field}
        defaultValue={title}
        maxLength={200}
        aria-label={t().title}
        onBlur={() => {
          done(true);
        }}
        onKeyDown={(event) => {
          if (isEscape(event)) done(false);
        }}
      />
    </form>
  );
}

/** Export and import of conversations. */
function Transfers(): JSX.Element {
  const open = chat.current.value;
  return (
    <details class="transfers">
      <summary class="line">
        <Icon name="files" />
        {t().transfers}
      </summary>
      <button type="button" class="line" id="export-json" onClick={() => void exportAll()}>
        {t().exportAll}
      </button>
      {open !== undefined && (
        <button type="button" class="line" id="export-markdown" onClick={() => void exportMarkdown(open.id)}>
          {t().exportMarkdown}
        </button>
      )}
      <label class="line">
        {t().importFile}
        <input
          id="import"
          class="unseen"
          type="file"
          accept=".json,.md"
          multiple
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            // Choosing the same file again must count as a choice.
            event.currentTarget.value = "";
            void takeFiles(files, {
              say: (text) => {
                message.value = text;
              },
              refusal: t().notImported,
            });
          }}
        />
      </label>
    </details>
  );
}

async function exportMarkdown(id: string): Promise<void> {
  const [bundle] = await chat.bundles(id);
  if (bundle !== undefined) saveText(`${slug(bundle.conversation.title)}.md`, "text/markdown", toMarkdown(bundle));
}
