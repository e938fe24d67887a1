/** The source of a pattern: words of a prompt for generative effects. The SDK turns raw spaces into `_`, so they are `%20`. */
export const PHRASE = '[A-Za-z0-9](?:[A-Za-z0-9.-]|%20){0,150}';
