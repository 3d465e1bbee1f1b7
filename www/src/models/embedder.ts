/** The model with which documents are found by meaning: the smallest that the tests compare with its makers' vectors. */

export const EMBEDDER = {
  name: "all-MiniLM-L6-v2",
  /** The source to pass to `Engine.create`: a repository, or a folder's address. A host may set another copy at build time. */
  source: (import.meta.env.VITE_EMBEDDER as string | undefined) ?? "sentence-transformers/all-MiniLM-L6-v2",
  /** Size of the download in bytes: weights, and texts of 0.7 MB. */
  bytes: 91_566_000,
  licence: "Apache-2.0",
  licenceUrl: "https://www.apache.org/licenses/LICENSE-2.0",
};
