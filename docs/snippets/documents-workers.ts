/** A library whose files are read, and whose words are found, in workers. */
// #region workers
import { Library } from "hearth-llm/documents";
import { ReadingWorker, WorkerWords } from "hearth-llm/documents/worker";

export async function open(): Promise<{ library: Library; close: () => Promise<void> }> {
  const reading = new ReadingWorker();
  const words = new WorkerWords();
  const library = await Library.open({ extractors: { read: reading.read }, words });
  const close = async (): Promise<void> => {
    await library.close();
    reading.close();
    words.close();
  };
  return { library, close };
}
// #endregion workers
