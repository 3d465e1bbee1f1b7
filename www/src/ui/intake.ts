/** The one way in for files, whether dropped, chosen as a model or imported: what they are decides where they go. */
import { kindOf, type FileKind } from "../lib/file-kind.js";
import { importBundles } from "../state/chat.js";
import { addDocuments } from "../state/documents.js";
import { showToast } from "../state/toast.js";
import { fromFile, ImportError } from "../store/exchange.js";
import { t } from "../text/index.js";
import { closeDialog, dialog } from "./dialogs.js";
import { pickModel } from "./start.js";
import { takePictures } from "./take-pictures.js";

/** Tells the visitor what became of the files. */
interface Replies {
  say: (text: string) => void;
  /** The text for a file that nothing is done with. */
  refusal: (name: string) => string;
  /** Whether files with a text become documents, sound becomes text, and pictures go into the message. */
  takesAll?: boolean;
}

const BY_TOAST: Replies = {
  say: (text) => {
    showToast({ text });
  },
  refusal: (name) => t().notModel(name),
  takesAll: true,
};

/** Kinds that may be documents: an unknown one may be a text in another encoding, and is refused by name otherwise. */
const READABLE: readonly FileKind[] = ["document", "text", "unknown"];

export async function takeFiles(files: File[], { say, refusal, takesAll = false }: Replies = BY_TOAST): Promise<void> {
  const kinds = await Promise.all(files.map(async (file) => [file, await kindOf(file)] as const));
  // A model may be several files, some of which are text.
  if (kinds.some(isModel)) {
    await pickModel(files);
    return;
  }
  const isRecording = (file: File, kind: FileKind): boolean => takesAll && isSound(file, kind);
  const isDocument = (file: File, kind: FileKind): boolean =>
    takesAll && READABLE.includes(kind) && !isRecording(file, kind);
  const recordings = kinds.flatMap(([file, kind]) => (isRecording(file, kind) ? [file] : []));
  if (recordings.length > 0) {
    dialog.value = "speech";
    const { addRecordings } = await import("../state/transcripts.js");
    addRecordings(recordings);
  }
  const documents = kinds.flatMap(([file, kind]) => (isDocument(file, kind) ? [file] : []));
  if (documents.length > 0) {
    dialog.value = "documents";
    void addDocuments(documents);
  }
  const pictures = takesAll ? kinds.flatMap(([file, kind]) => (kind === "image" ? [file] : [])) : [];
  if (pictures.length > 0) {
    // The message lies beneath the dialogs.
    if (documents.length === 0 && recordings.length === 0) closeDialog();
    await takePictures(pictures);
  }
  let count = 0;
  for (const [file, kind] of kinds) {
    if (isDocument(file, kind) || isRecording(file, kind) || pictures.includes(file)) continue;
    const added = kind === "conversations" ? await importFile(file) : refusal(file.name);
    if (typeof added === "string") {
      say(added);
      return;
    }
    count += added;
  }
  if (count > 0) say(t().imported(count));
}

/** Goes by name as well, so that the picker can report what is wrong with a damaged file. */
function isModel([{ name }, kind]: readonly [File, FileKind]): boolean {
  return kind === "model" || /\.(gguf|safetensors)$/i.test(name);
}

/** Goes by name and type as well if the content tells nothing: the browser may know more kinds of sound. */
function isSound({ name, type }: File, kind: FileKind): boolean {
  if (kind !== "unknown") return kind === "audio";
  return type.startsWith("audio/") || /\.(wav|mp3|m4a|aac|ogg|oga|opus|flac|webm|aiff?|amr)$/i.test(name);
}

/** Returns how many conversations were imported, or why none were. */
async function importFile(file: File): Promise<number | string> {
  try {
    const bundles = fromFile(await file.text());
    if (bundles.length === 0) return t().notImported(file.name);
    await importBundles(bundles);
    return bundles.length;
  } catch (error) {
    // Otherwise the text is longer than a string may be, or the disk has no room for it.
    return (error instanceof ImportError ? t().notImported : t().noRoom)(file.name);
  }
}
