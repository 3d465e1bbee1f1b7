/** Addresses with secrets in them: signatures and tokens are no part of what a file is, and are not for every eye. */

/** Of S3, Google and hosts with signs of their own; and what belongs to a signature of CloudFront's, and of Azure's. */
const SECRET =
  /^(x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|signature|sig|(access_?|auth_?|id_?)?token|api_?key|hdn[et][as]|password|response-content-.*)$/i;
const BESIDE: [sign: string, RegExp][] = [
  ["signature", /^(expires|policy|key-pair-id)$/i],
  ["sig", /^(s[evprt]|spr|sip|ske|sks|skt|skv|skoid|sktid|sdd|ses)$/i],
];

/** A file's address without what only opens it: the same for each signature. */
export function withoutSecrets(url: string): string {
  const plain = new URL(url);
  plain.hash = plain.username = plain.password = "";
  const names = [...new Set(plain.searchParams.keys())];
  const signs = BESIDE.filter(([sign]) => names.some((name) => name.toLowerCase() === sign));
  for (const name of names) {
    // Elsewhere `expires` or `sp` may be what tells one file from another.
    if (SECRET.test(name) || signs.some(([, beside]) => beside.test(name))) plain.searchParams.delete(name);
  }
  return plain.href;
}

/** For messages. */
export function shown(url: string): string {
  try {
    const plain = new URL(url);
    return plain.search === "" && plain.hash === "" && plain.username === "" ? url : plain.origin + plain.pathname;
  } catch {
    return url.replace(/[?#].*$/s, "");
  }
}
