/** Addresses by which the page shows Blobs. */
import { useEffect, useState } from "preact/hooks";
import { fileOf } from "../state/picture-files.js";

/** Returns an address of a Blob, which is given back with the component. */
export function useAddress(blob: Blob | undefined): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (blob === undefined) {
      setUrl(undefined);
      return;
    }
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => {
      URL.revokeObjectURL(made);
    };
  }, [blob]);
  return url;
}

/** Returns a file of a conversation; undefined while it is being read, null if it is not there. */
export function useFile(conversation: string, hash: string): Blob | null | undefined {
  const [blob, setBlob] = useState<Blob | null>();
  useEffect(() => {
    let isOld = false;
    setBlob(undefined);
    void fileOf(conversation, hash).then((found) => {
      if (!isOld) setBlob(found ?? null);
    });
    return () => {
      isOld = true;
    };
  }, [conversation, hash]);
  return blob;
}
