/** Whether a URL is an origin alone: it has neither path nor query, fragment or user. */
export function isBareOrigin(url: URL): boolean {
  return url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
}
