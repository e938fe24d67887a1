/** The fault of a URL; completes "NAME …". */
export interface UrlProblem {
  readonly problem: string;
}

/** A URL in the form of its client, or its fault. */
export type ConnectionUrl = { readonly url: string } | UrlProblem;

/** Completes "NAME has …". The value is not shown: it contains a password. */
const UNENCODED =
  'characters in its user name, password, database name or parameters that must be percent-encoded (`%` as `%25`, `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`)';

/**
 * Finds characters of a connection URL that would be read as delimiters: a password such as `p@ss/w#rd` changes the host,
 * and nothing reports that before a connection fails.
 * @param text The URL, not parsed.
 * @returns Completes "NAME has …"; null for a URL without a fault of this kind.
 */
export function findUnencodedCredentials(text: string): string | null {
  const [, authority = '', rest = ''] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/is.exec(text) ?? [];
  const fragment = rest.indexOf('#');
  const beforeFragment = fragment < 0 ? rest : rest.slice(0, fragment);
  const [path = '', ...query] = beforeFragment.split('?');
  const moved =
    path.includes('@') ||
    (fragment >= 0 && rest.includes('@', fragment)) ||
    // `?user=pix@server` is the value of a parameter; a name never contains an `@`.
    query
      .join('?')
      .split('&')
      .some((parameter) => /^[^=]*@/.test(parameter)) ||
    // A password up to its first delimiter is read as the port.
    (rest.includes('@') && !authority.includes('@') && !URL.canParse(text));
  return moved || !isDecodable(text) ? UNENCODED : null;
}

function isDecodable(text: string): boolean {
  try {
    // The result is used: the bundler removes a statement that only calls a built-in function.
    return typeof decodeURIComponent(text) === 'string';
  } catch {
    return false;
  }
}
