/** A model's bytes, in order, wherever they come from. */
export interface ByteSource {
  /** Length in bytes where it is known. Read it after the first chunk: a download learns it from the response. */
  readonly total: number | undefined;
  chunks(): AsyncIterable<Uint8Array>;
}

/** A file from the network, and what is known of it before it comes. */
export interface RemoteFile {
  url: string;
  /** The address that it is kept under: the same for each commit and signature. */
  key: string;
  /** That there is no such file is an answer too. */
  isOptional: boolean;
  /** Bytes. */
  size?: number | undefined;
  /** SHA-256 in hexadecimal digits. */
  sum?: string | undefined;
  /** What is kept of another version is of no use. */
  version?: string | undefined;
}
