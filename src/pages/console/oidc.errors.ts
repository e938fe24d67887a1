/** Why a sign-in by OpenID Connect failed; the console shows a text for each. */
export type SignInFault = 'unavailable' | 'expired' | 'refused' | 'no_role';

/** A sign-in that failed. The browser is led back to the console, which shows the reason. */
export class SignInError extends Error {
  constructor(
    readonly fault: SignInFault,
    options?: ErrorOptions,
  ) {
    super(`Sign-in failed: ${fault}`, options);
  }
}
