/** What bundlers for browsers get as `@pixseal/react/server`: without its exports, a build that imports them fails. */
throw new Error(
  '@pixseal/react/server signs with a secret, so it must not run in a browser. Call signImage on your server, and send its result to the page.',
);
