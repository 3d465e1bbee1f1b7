/** Classifies a model's address: a repository of the Hub, this page's own host, or elsewhere. */
// The page shares a repository with the package and parses ids by the package's internal rules, which are not part of
// its public API.
import { parseHubId, type HubId } from "hearth-llm";

export const HUB = "https://huggingface.co";

/**
 * Returns the repository that the package will request from the Hub, or undefined if it treats the text as an address.
 */
export function hubIdOf(source: string): HubId | undefined {
  try {
    return parseHubId(source);
  } catch {
    // A page of the Hub that is not a model's: the package refuses it and gives more of the reasons.
    return undefined;
  }
}

/** Returns the address as the package completes it, or undefined if the text is not one. */
export function addressOf(source: string): URL | undefined {
  try {
    return new URL(source, document.baseURI);
  } catch {
    return undefined;
  }
}

/**
 * Whether the model is fetched from Hugging Face. Decided by the resolved address: a file next to the page may be
 * spelled like a repository.
 */
export function isOnHub(source: string): boolean {
  return hubIdOf(source) !== undefined || addressOf(source)?.origin === HUB;
}

/** Whether the model is a file on the page's own host. */
export function isOurs(source: string): boolean {
  return hubIdOf(source) === undefined && addressOf(source)?.origin === location.origin;
}

/** Returns an address's host with its port, or the address if it is not one. */
export function hostOf(address: string): string {
  try {
    return new URL(address).host;
  } catch {
    return address;
  }
}
