/** What the forked service tells the test kit, once. */
export type ServiceMessage = { readonly origin: string } | { readonly failure: string };
