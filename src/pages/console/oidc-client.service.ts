import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Configuration } from 'openid-client';
import { isObject } from '../../domain/is-object.js';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import type { OidcRole, OidcSettings } from '../../platform/config/oidc-settings.js';
import { SignInError } from './oidc.errors.js';

/** Seconds until the provider must have responded. */
const TIMEOUT = 10;
/** OpenID Connect Core §2: at most 255 ASCII characters. */
const SUBJECT = /^[\x21-\x7e]{1,255}$/;

/** What a browser keeps until the provider sends it back. */
export interface SignInFlow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/** The user of a provider, and the values of the claims that roles depend on. */
export interface OidcUser {
  readonly subject: string;
  /** Pairs of a claim and a value that rules name, as `CLAIM:VALUE`. */
  readonly values: readonly string[];
  /** The ID token, by which the provider recognizes the session to end. */
  readonly idToken: string | null;
}

/** The OpenID Connect provider: authorization code with PKCE, `state` and `nonce`. */
@Injectable()
export class OidcClient {
  private readonly logger = new Logger(OidcClient.name);
  private readonly settings: OidcSettings | null;
  private discovered: Promise<Configuration> | null = null;

  constructor(@Inject(ENVIRONMENT) { oidc }: Pick<Environment, 'oidc'>) {
    this.settings = oidc;
  }

  /** Whether users can sign in. */
  get isEnabled(): boolean {
    return this.settings !== null;
  }

  /** Starts a sign-in. @returns the provider's URL, and the flow. @throws SignInError if it is unavailable. */
  async start(redirectUri: string): Promise<{ readonly url: string; readonly flow: SignInFlow }> {
    const client = await import('openid-client');
    const configuration = await this.discover();
    const flow = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      redirectUri,
    };
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.requireSettings().scope,
      state: flow.state,
      nonce: flow.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, flow };
  }

  /**
   * Completes a sign-in: exchanges the code, and verifies the ID token.
   * @param query Of the callback, without `?`.
   * @throws SignInError if the provider refuses, its response is invalid, or the user has no role.
   */
  async finish(flow: SignInFlow, query: string): Promise<OidcUser> {
    const client = await import('openid-client');
    const configuration = await this.discover();
    try {
      const tokens = await client.authorizationCodeGrant(
        configuration,
        new URL(`?${query}`, flow.redirectUri),
        {
          pkceCodeVerifier: flow.verifier,
          expectedState: flow.state,
          expectedNonce: flow.nonce,
          idTokenExpected: true,
        },
      );
      const claims = tokens.claims();
      if (claims === undefined || !SUBJECT.test(claims.sub)) throw new SignInError('refused');
      const values = this.valuesOf(claims);
      if (this.findRole(values) === null) throw new SignInError('no_role');
      return { subject: claims.sub, values, idToken: tokens.id_token ?? null };
    } catch (error) {
      if (error instanceof SignInError) throw error;
      // Its message may contain what the provider sent; its code does not.
      this.logger.warn(`The OpenID Connect provider refused a sign-in: ${codeOf(error)}`);
      throw new SignInError('refused');
    }
  }

  /**
   * Where the browser ends its session at the provider (OpenID Connect RP-Initiated Logout 1.0).
   * @param returnUrl Where the provider leads it back to.
   * @returns null if the provider has no such page, or is unavailable.
   */
  async findSignOut(idToken: string | null, returnUrl: string): Promise<string | null> {
    if (!this.isEnabled) return null;
    const client = await import('openid-client');
    const configuration = await this.discover().catch(() => null);
    if (configuration?.serverMetadata().end_session_endpoint === undefined) return null;
    return client.buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: returnUrl,
      ...(idToken === null ? {} : { id_token_hint: idToken }),
    }).href;
  }

  /** The role of the first rule that matches; null for none. */
  findRole(values: readonly string[]): OidcRole | null {
    return this.settings?.roles.find(({ claim, value }) => values.includes(`${claim}:${value}`)) ?? null;
  }

  private valuesOf(claims: Readonly<Record<string, unknown>>): string[] {
    const matching = this.requireSettings().roles.filter(({ claim, value }) => {
      const found = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
      return found === value || (Array.isArray(found) && found.includes(value));
    });
    return matching.map(({ claim, value }) => `${claim}:${value}`);
  }

  /** Cached once it succeeds. */
  private discover(): Promise<Configuration> {
    this.discovered ??= this.load().catch((error: unknown) => {
      this.discovered = null;
      this.logger.warn(`The OpenID Connect provider is unavailable: ${codeOf(error)}`);
      throw new SignInError('unavailable');
    });
    return this.discovered;
  }

  private async load(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.requireSettings();
    const client = await import('openid-client');
    return client.discovery(new URL(issuer), clientId, undefined, client.ClientSecretBasic(clientSecret), {
      timeout: TIMEOUT,
      // The settings allow http on this machine only; the library deprecates it so that its use is noticed.
      // eslint-disable-next-line @typescript-eslint/no-deprecated
      execute: issuer.startsWith('http:') ? [client.allowInsecureRequests] : [],
    });
  }

  private requireSettings(): OidcSettings {
    if (this.settings === null) throw new SignInError('unavailable');
    return this.settings;
  }
}

function codeOf(error: unknown): string {
  return isObject(error) && typeof error['code'] === 'string' ? error['code'] : 'no code';
}
