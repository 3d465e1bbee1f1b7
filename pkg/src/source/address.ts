/** Handling of addresses with secrets: signatures and tokens do not identify a file, and must not be shown. */

/**
 * Secret parameters of S3, Google and other hosts (`SECRET`), and those that accompany CloudFront's or Azure's
 * signature (`BESIDE`).
 */
const SECRET =
  /^(x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|signature|sig|(access_?|auth_?|id_?)?token|api_?key|hdn[et][as]|password|response-content-.*)$/i;
const BESIDE: [sign: string, RegExp][] = [
  ["signature", /^(expires|policy|key-pair-id)$/i],
  ["sig", /^(s[evprt]|spr|sip|ske|sks|skt|skv|skoid|sktid|sdd|ses)$/i],
];

/** Returns a file's address without its credentials, so that it is equal for every signature. */
export function withoutSecrets(url: string): string {
  const plain = new URL(url);
  plain.hash = plain.username = plain.password = "";
  const names = [...new Set(plain.searchParams.keys())];
  const signs = BESIDE.filter(([sign]) => names.some((name) => name.toLowerCase() === sign));
  for (const name of names) {
    // On other hosts `expires` or `sp` may distinguish files.
    if (SECRET.test(name) || signs.some(([, beside]) => beside.test(name))) plain.searchParams.delete(name);
  }
  return plain.href;
}

/** Returns an address for messages, without anything secret. */
export function shown(url: string): string {
  try {
    const plain = new URL(url);
    return plain.search === "" && plain.hash === "" && plain.username === "" ? url : plain.origin + plain.pathname;
  } catch {
    return url.replace(/[?#].*$/s, "");
  }
}
