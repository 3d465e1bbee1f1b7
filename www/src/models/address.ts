/** Where a model's address leads: to a repository of the Hub, to this page's own host, or elsewhere. */
// The page is of one repository with the package and reads ids by its rules, which are no part of what it offers to others.
import { parseHubId, type HubId } from "hearth/paste";

export const HUB = "https://huggingface.co";

/** The repository that the package will ask the Hub for; undefined where it takes the text as an address. */
export function hubIdOf(source: string): HubId | undefined {
  try {
    return parseHubId(source);
  } catch {
    // A page of the Hub that is of no model: the package refuses it with more of the reasons.
    return undefined;
  }
}

/** The address as the package completes it; undefined where it is none. */
export function addressOf(source: string): URL | undefined {
  try {
    return new URL(source, document.baseURI);
  } catch {
    return undefined;
  }
}

/** Whether it is fetched from Hugging Face. Decided by where it leads: a file beside the page may be spelled like a repository. */
export function isOnHub(source: string): boolean {
  return hubIdOf(source) !== undefined || addressOf(source)?.origin === HUB;
}

/** Whether it is a file of the host that the page is from. */
export function isOurs(source: string): boolean {
  return hubIdOf(source) === undefined && addressOf(source)?.origin === location.origin;
}
