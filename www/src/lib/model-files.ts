/** Distinguishes a model's files from anything else that may be dropped on the page. */

const MAGIC = "GGUF";

/**
 * Goes by name, so that the picker can report what is wrong with a damaged file; a GGUF file under another name is
 * recognised by its first bytes.
 */
export async function areModel(files: readonly File[]): Promise<boolean> {
  if (files.some(({ name }) => /\.(gguf|safetensors)$/i.test(name))) return true;
  for (const file of files) {
    // A folder arrives as a file that cannot be read.
    const beginning = await file
      .slice(0, MAGIC.length)
      .text()
      .catch(() => "");
    if (beginning === MAGIC) return true;
  }
  return false;
}
