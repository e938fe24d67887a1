/** The one message that the forked service sends to the test kit. */
export type ServiceMessage = { readonly origin: string } | { readonly failure: string };
