/** A model's bytes, in order, wherever they come from. */
export interface ByteSource {
  /** Length in bytes where it is known. Read it after the first chunk: a download learns it from the response. */
  readonly total: number | undefined;
  chunks(): AsyncIterable<Uint8Array>;
}
