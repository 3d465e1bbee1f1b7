/** The conversations: the list, the open one, and the actions on them. */
import { batch, computed, signal } from "@preact/signals";
import type { Conversation, DraftPicture, StoredFile } from "../store/db.js";
import type { Bundle } from "../store/exchange.js";
import { withText, type Part } from "../store/parts.js";
import { childrenOf, newestLeaf, pathTo, withPlace, type Message, type Tree } from "../store/tree.js";
import { Answering } from "./answering.js";
import { answerings, failures, setAnswering, setFailure } from "./answers.js";
import { opener } from "./documents.js";
import { canContinue } from "./journal.js";
import { backend, incoming } from "./model.js";
import { answerTo, newHead, newMessage, partsOf, remembered } from "./new-messages.js";
import { holdFiles } from "./picture-files.js";
import { placeOf } from "./place.js";
import { settings } from "./settings.js";
import { forgetKept, opened } from "./store.js";
import { answerAlone, elsewhere, onNews, tell, watch, type News } from "./tabs.js";

/** All conversations, newest first. */
export const conversations = signal<readonly Conversation[]>([]);
/** The open conversation; undefined if it has no message yet. */
export const current = signal<Conversation | undefined>(undefined);
const tree = signal<Tree>(new Map());
/** The answer being generated in the open conversation. */
export const answering = computed(() => answerings.value.get(current.value?.id ?? ""));
/** The failure of the open conversation's last request. */
export const failure = computed(() => failures.value.get(current.value?.id ?? ""));
/** Whether conversations outlast the page. */
export const isKept = signal(true);
/** The system prompt of the open conversation; a new one takes it from the settings. */
export const system = signal(settings.value.system);

/** The messages shown: from the first one to the open leaf. */
export const path = computed(() => pathTo(tree.value, current.value?.leaf ?? null));
/** The messages that the model gets: all but the oldest ones, if the visitor has had these left out. */
export const given = computed(() => remembered(path.value, current.value));
const children = computed(() => childrenOf(tree.value));

/** Whether another tab is answering in it. */
export const isElsewhere = computed(() => elsewhere.value.has(current.value?.id ?? ""));
/** Whether a model answers questions; one that is about to be replaced takes no new ones. */
export const isServing = computed(() => backend.value !== undefined && incoming.value?.name !== "ready");
export const canAsk = computed(() => isServing.value && answering.value === undefined && !isElsewhere.value);

export async function openConversations(): Promise<void> {
  isKept.value = (await opened()).isKept;
  const all = await (await opened()).conversations();
  conversations.value = all.sort((a, b) => b.updated - a.updated);
  onNews((news) => void onOtherTab(news));
}

/** Handles a change made in another tab; an answer in progress here is left alone. */
async function onOtherTab(news: News): Promise<void> {
  const { id, state } = news;
  const isOpen = (): boolean => current.value?.id === id && !answerings.peek().has(id);
  if (state === "begun" || state === "draft") await watch(id, () => void readAgain(id));
  const head = headOf({ id });
  if (state === "draft" && head !== undefined && isOpen()) show({ ...head, leaf: news.message.id }, [news.message]);
  if (state === "changed") await readAgain(id);
  if (state === "removed") {
    conversations.value = conversations.value.filter((head) => head.id !== id);
    if (isOpen()) newConversation();
  }
}

async function readAgain(id: string): Promise<void> {
  const head = await (await opened()).conversation(id);
  if (head === undefined) return;
  show(head, []);
  const isOpen = current.value?.id === id && (wanted ?? id) === id;
  if (isOpen && !answerings.peek().has(id)) await openConversation(id);
}

/** Leaves messages out of what the model gets. */
export async function forget(ids: readonly string[]): Promise<void> {
  const head = current.value && headOf(current.value);
  if (head === undefined || ids.length === 0) return;
  setFailure(head.id, undefined);
  await save({ ...head, forgotten: [...(head.forgotten ?? []), ...ids] }, []);
}

/** Puts a conversation into the list. */
function list(head: Conversation): void {
  const others = conversations.value.filter(({ id }) => id !== head.id);
  conversations.value = [head, ...others].sort((a, b) => b.updated - a.updated);
}

/** Id of the conversation that was chosen last. */
let wanted: string | undefined;
/** Messages of that conversation that were saved while it was being read. */
let arrived = new Map<string, Message>();

export function newConversation(): void {
  wanted = undefined;
  batch(() => {
    current.value = undefined;
    tree.value = new Map();
    system.value = settings.value.system;
  });
}

export async function openConversation(id: string): Promise<void> {
  wanted = id;
  arrived = new Map();
  const isRunning = !answerings.peek().has(id) && (await watch(id, () => void readAgain(id)));
  const messages = await (await opened()).messages(id);
  // Another one was chosen in the meantime.
  if (wanted !== id) return;
  const found = headOf({ id });
  if (found === undefined) return;
  const next = new Map(messages.map((message) => [message.id, isRunning ? message : ended(message)]));
  for (const message of arrived.values()) next.set(message.id, message);
  const here = answerings.peek().get(id)?.soFar;
  if (here !== undefined) next.set(here.id, here);
  batch(() => {
    current.value = shown(found);
    tree.value = next;
    system.value = found.system;
  });
}

/** Marks an answer as stopped if the page closed while it was being generated. */
function ended(message: Message): Message {
  return message.end === "running" ? { ...message, end: "stopped" } : message;
}

/** Returns how many sibling messages there are, this one included, and its position among them. */
export function branchesOf(message: Message): { index: number; count: number } {
  const siblings = children.value.get(message.parent) ?? [];
  return { index: siblings.findIndex(({ id }) => id === message.id), count: siblings.length };
}

/** Shows the branch `step` places away from this message's. */
export async function switchBranch(message: Message, step: 1 | -1): Promise<void> {
  if (answering.value !== undefined) return;
  const siblings = children.value.get(message.parent) ?? [];
  const next = siblings[siblings.findIndex(({ id }) => id === message.id) + step];
  const open = current.value;
  if (next === undefined || open === undefined) return;
  setFailure(open.id, undefined);
  await save({ ...open, leaf: newestLeaf(children.value, next.id) }, []);
}

export async function send(text: string, pictures: readonly DraftPicture[] = []): Promise<void> {
  await ask(current.value?.leaf ?? null, partsOf(text, pictures), pictures);
}

/** Begins a conversation with a question, and opens it if another new one was on the screen; returns its id. */
export function begin(text: string, pictures: readonly DraftPicture[]): string {
  const parts = partsOf(text, pictures);
  const isOpen = current.value === undefined;
  const head = newHead(parts, isOpen ? system.value : settings.value.system);
  if (isOpen) {
    batch(() => {
      current.value = head;
      wanted = head.id;
    });
  }
  void pose(head, [], parts, pictures);
  return head.id;
}

/** Asks in a conversation that need not be on the screen. */
export async function sendIn(id: string, text: string, pictures: readonly DraftPicture[]): Promise<void> {
  const isOpen = (): boolean => current.value?.id === id;
  if (isOpen()) {
    await send(text, pictures);
    return;
  }
  const parts = partsOf(text, pictures);
  const messages = await (await opened()).messages(id);
  const head = headOf({ id });
  if (head === undefined) return;
  // Opened in the meantime: the messages on the screen are newer.
  if (isOpen()) await send(text, pictures);
  else await pose(head, pathTo(new Map(messages.map((one) => [one.id, ended(one)])), head.leaf), parts, pictures);
}

/** Asks another question in place of this one, whose parts stay unless they are in `without`; the old one is a branch. */
export async function edit(message: Message, text: string, without: readonly Part[] = []): Promise<void> {
  const parts = message.parts.filter((part) => !without.includes(part));
  await ask(message.parent, withText(parts, text), []);
}

/** Asks in the open conversation, or begins one. */
async function ask(parent: string | null, parts: Part[], pictures: readonly DraftPicture[]): Promise<void> {
  if (!canAsk.value) return;
  const before = pathTo(tree.value, parent);
  const open = current.value ?? newHead(parts, system.value);
  batch(() => {
    current.value = open;
    wanted = open.id;
  });
  await pose({ ...open, system: system.value }, before, parts, pictures);
}

/** Puts a question after these messages, and answers it. */
async function pose(
  head: Conversation,
  before: readonly Message[],
  parts: Part[],
  pictures: readonly DraftPicture[],
): Promise<void> {
  const question = newMessage(head.id, before.at(-1)?.id ?? null, "user", parts);
  const files = pictures.map(({ part, blob }): StoredFile => ({
    conversation: head.id,
    hash: part.file,
    mime: part.mime,
    blob,
  }));
  setFailure(head.id, undefined);
  // Not awaited: an unresponsive disk must not delay the answer.
  void save({ ...head, leaf: question.id, updated: Date.now() }, [question], undefined, files);
  await run(answerTo(question, backend.value), [...before, question], head.system);
}

/** Requests another answer to the same question, as a branch alongside this one. */
export async function regenerate(message: Message): Promise<void> {
  const question = message.parent === null ? undefined : tree.value.get(message.parent);
  const open = current.value;
  if (question === undefined || open === undefined || !canAsk.value) return;
  setFailure(open.id, undefined);
  void save({ ...open, leaf: question.id }, []);
  await answer(question);
}

/** Continues an answer that was stopped or cut off. */
export async function goOn(message: Message): Promise<void> {
  const open = current.value;
  if (open?.id !== message.conversation || !canAsk.value) return;
  await run(message, pathTo(tree.value, message.parent), system.value);
}

const answer = (question: Message): Promise<void> => goOn(answerTo(question, backend.value));

/** Called when a conversation may be asked something again. */
let onEnd: (id: string) => void = () => undefined;

export function whenAnswered(listener: typeof onEnd): void {
  onEnd = listener;
}

/** Generates or continues an answer. The messages are given, since the visitor may open another conversation. */
async function run(message: Message, before: readonly Message[], prompt: string): Promise<void> {
  const { conversation: id } = message;
  await answerAlone(id, () => make(message, before, prompt));
  onEnd(id);
}

async function make(message: Message, before: readonly Message[], prompt: string): Promise<void> {
  const { conversation: id } = message;
  const [begun, loaded] = [headOf({ id }), backend.value];
  if (begun === undefined || loaded === undefined || answerings.peek().has(id)) return;
  tell({ id, state: "begun" });
  const heard = remembered(before, begun);
  const placed: Message = { ...message, places: withPlace(message.places ?? [], placeOf(loaded)) };
  const onDraft = (draft: Message): void => {
    const head = headOf({ id });
    if (head !== undefined) void save({ ...head, leaf: draft.id }, [draft], { id, state: "draft", message: draft });
  };
  const running = new Answering(loaded, placed, heard, prompt, onDraft, opener());
  batch(() => {
    setFailure(id, undefined);
    setAnswering(id, running);
    if (current.value?.id !== id) return;
    tree.value = new Map(tree.value).set(message.id, running.soFar);
    current.value = shown(begun);
  });
  const { result, error } = await running.done;
  setAnswering(id, undefined);
  const head = headOf({ id });
  // Deleted in the meantime: saving would bring it back.
  if (head === undefined) return;
  let saved: Promise<void> | undefined;
  if (result !== undefined) {
    saved = save({ ...head, leaf: result.id, updated: Date.now() }, [result]);
  } else if (current.value?.id === id) {
    // Nothing arrived: the question stays, and can be asked again.
    const rest = new Map(tree.value);
    rest.delete(message.id);
    tree.value = rest;
    current.value = { ...head, leaf: message.parent };
  }
  if (error !== undefined) {
    const question = before.at(-1);
    if (!result && question) saved = save({ ...head, leaf: question.id, failed: question.id }, []);
    const retry = (): void => {
      // Another model may be running by then.
      const goesOn = question === undefined || canContinue(backend.value, result);
      void (goesOn ? goOn(result ?? message) : answer(question));
    };
    setFailure(id, { error, retry });
  }
  await saved;
}

/** Stops the running answer and keeps the text so far. */
export function stop(): void {
  answering.value?.stop();
}

export async function rename(id: string, title: string): Promise<void> {
  const head = conversations.value.find((conversation) => conversation.id === id);
  if (head !== undefined && title.trim() !== "") await save({ ...head, title: title.trim() }, []);
}

export async function setSystem(text: string): Promise<void> {
  system.value = text;
  const head = current.value && headOf(current.value);
  if (head !== undefined) await save({ ...head, system: text }, []);
}

/** Deletes a conversation and returns a function that restores it. */
export async function remove(id: string): Promise<() => Promise<void>> {
  const isOpen = current.value?.id === id;
  const kept = bundles(id);
  answerings.peek().get(id)?.stop();
  setFailure(id, undefined);
  if (isOpen) newConversation();
  conversations.value = conversations.value.filter((head) => head.id !== id);
  const [bundle] = await kept;
  await forgetKept(id);
  tell({ id, state: "removed" });
  return async () => {
    if (bundle === undefined) return;
    await bringIn([bundle]);
    if (isOpen) await openConversation(id);
  };
}

/** Returns all conversations, or one, as stored. */
export async function bundles(id?: string): Promise<Bundle[]> {
  const wanted = conversations.value.filter((conversation) => id === undefined || conversation.id === id);
  const store = await opened();
  return Promise.all(
    wanted.map(async (conversation) => {
      const [messages, files] = await Promise.all([store.messages(conversation.id), store.files(conversation.id)]);
      return { conversation, messages, files };
    }),
  );
}

export async function importBundles(all: readonly Bundle[]): Promise<void> {
  await bringIn(all);
  const [first] = all;
  if (first !== undefined) await openConversation(first.conversation.id);
}

async function bringIn(all: readonly Bundle[]): Promise<void> {
  const store = await opened();
  for (const { conversation, messages, files } of all) {
    await store.put(conversation, messages, files);
    list(conversation);
    tell({ id: conversation.id, state: "changed" });
  }
}

/** Saves a conversation, shows it, and notifies the other tabs. */
async function save(
  head: Conversation,
  messages: readonly Message[],
  news: News = { id: head.id, state: "changed" },
  files: readonly StoredFile[] = [],
): Promise<void> {
  const release = holdFiles(files);
  show(head, messages);
  try {
    await (await opened()).put(head, messages, files);
    release();
    tell(news);
  } catch {
    // The disk is full: the conversation continues, and the page shows that it is not saved.
    isKept.value = false;
  }
}

/** Updates the list, and the messages if this conversation is open. */
function show(head: Conversation, messages: readonly Message[]): void {
  batch(() => {
    list(head);
    if (wanted === head.id) for (const message of messages) arrived.set(message.id, message);
    if (current.value?.id !== head.id) return;
    current.value = shown(head);
    if (messages.length === 0) return;
    const next = new Map(tree.value);
    for (const message of messages) next.set(message.id, message);
    tree.value = next;
  });
}

/** Returns the conversation with its answer in progress as the leaf; only a draft is saved with it. */
function shown(head: Conversation): Conversation {
  const leaf = answerings.peek().get(head.id)?.id ?? head.leaf;
  return leaf === head.leaf ? head : { ...head, leaf };
}

/** Returns the current state of the conversation: it may have been renamed or deleted while an answer was generated. */
function headOf({ id }: Pick<Conversation, "id">): Conversation | undefined {
  return conversations.value.find((head) => head.id === id);
}
