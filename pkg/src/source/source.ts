/** A model's bytes in order, from any origin. */
export interface ByteSource {
  /** Length in bytes, if known. Read it after the first chunk: a download learns it from the response. */
  readonly total: number | undefined;
  chunks(): AsyncIterable<Uint8Array>;
}

/** A file on the network, with the facts known before it is fetched. */
export interface RemoteFile {
  url: string;
  /** Address under which it is kept: the same for every commit and signature. */
  key: string;
  /** Whether the file may be missing. */
  isOptional: boolean;
  /** Length in bytes. */
  size?: number | undefined;
  /** SHA-256 in hexadecimal digits. */
  sum?: string | undefined;
  /** Version of the file; a kept file of another version is not used. */
  version?: string | undefined;
}
