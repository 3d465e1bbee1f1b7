/** Tells a model's files from all others that may be dropped on the page. */

const MAGIC = "GGUF";

/** By name, so that the picker can say what is wrong with a damaged one; a GGUF file under another name by its beginning. */
export async function areModel(files: readonly File[]): Promise<boolean> {
  if (files.some(({ name }) => /\.(gguf|safetensors)$/i.test(name))) return true;
  for (const file of files) {
    // A folder comes as a file that cannot be read.
    const beginning = await file
      .slice(0, MAGIC.length)
      .text()
      .catch(() => "");
    if (beginning === MAGIC) return true;
  }
  return false;
}
