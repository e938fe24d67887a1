import { Inject, Injectable } from '@nestjs/common';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../platform/actor/actor.js';
import { AdminKeyFinder } from '../../admin/access/admin-key.guard.js';
import { AdminSessions } from '../../admin/access/admin-sessions.js';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { RECOMMENDED_POLICY } from '../../policy/recommended-policy.js';
import { LocationBuilder } from '../../redirect/location-builder.js';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { SecretBox, SecretBoxError } from '../../platform/secrets/secret-box.js';
import { WrongAdminKeyError } from './console.errors.js';
import { requireSameOrigin } from './same-origin.js';
import { OidcClient, type OidcUser, type SignInFlow } from './oidc-client.service.js';
import { SignInError } from './oidc.errors.js';
import type { SessionDocument } from './session.document.js';

/** Seconds until a session expires: of a key, which is looked up at each request, and of a user, who is not. */
const LIFETIME = 8 * 3600;
const USER_LIFETIME = 3600;
/** Seconds until a user must have signed in at the provider. */
const FLOW_LIFETIME = 600;
const AAD = ['console_session'];
const USER_AAD = ['console_user'];
const FLOW_AAD = ['console_flow'];
/** Over HTTPS, no other host can set a cookie of this name (RFC 6265bis §4.1.3.2). */
const SECURE_NAME = '__Host-pixseal_console';
const NAME = 'pixseal_console';
/** Behind the name of the cookie of a session: that of a sign-in. */
const FLOW_SUFFIX = '_sign_in';
const CONSOLE = '/console';
const CALLBACK = `${CONSOLE}/oidc/callback`;
/** Characters of a cookie's value: browsers ignore a cookie of more than 4,096 with its name (RFC 6265bis §5.6). */
const MAX_COOKIE = 4_000;

/** The encrypted content of a cookie: an admin key cannot be derived from it. */
interface SessionClaims {
  readonly prefix: string | null;
  /** In base64url. */
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly end: number;
}

interface UserClaims extends OidcUser {
  readonly end: number;
}

interface FlowClaims extends SignInFlow {
  readonly end: number;
}

interface Session {
  readonly actor: Actor;
  readonly expiresAt: number;
  /** Whether it is of a user of the provider. */
  readonly isUser: boolean;
}

/**
 * The console's sessions, stored only in the browser: a cookie names an admin key, encrypted under `SECRETS_KEY` (ADR
 * 17). The key is looked up at each request, so a session expires with it.
 */
@Injectable()
export class ConsoleSessions extends AdminSessions {
  constructor(
    private readonly keys: AdminKeyFinder,
    private readonly box: SecretBox,
    private readonly locations: LocationBuilder,
    private readonly oidc: OidcClient,
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'defaultPolicy'>,
  ) {
    super();
  }

  /** @returns the session, and its cookie. @throws WrongAdminKeyError (401) @throws InvalidHostError (400) */
  async open(key: string, origin: RequestOrigin): Promise<{ document: SessionDocument; cookie: string }> {
    const reference = this.keys.referTo(key);
    const actor = await this.keys.findActor(reference);
    if (actor === null) throw new WrongAdminKeyError();
    const expiresAt = Math.min(Date.now() + LIFETIME * 1_000, actor.expiresAt?.getTime() ?? Infinity);
    const sealed: SessionClaims = {
      ...reference,
      digest: reference.digest.toString('base64url'),
      end: expiresAt,
    };
    const cookie = this.cookie(origin, this.seal(sealed, AAD), LIFETIME);
    return { document: this.documentOf({ actor, expiresAt, isUser: false }), cookie };
  }

  /**
   * Starts the sign-in of a user of the OpenID Connect provider.
   * @returns the provider's URL, and a cookie that only the callback receives.
   * @throws SignInError if the provider is unavailable; InvalidHostError (400)
   */
  async startSignIn(origin: RequestOrigin): Promise<{ readonly url: string; readonly cookie: string }> {
    const { url, flow } = await this.oidc.start(this.locations.originOf(origin) + CALLBACK);
    const claims: FlowClaims = { ...flow, end: Date.now() + FLOW_LIFETIME * 1_000 };
    return { url, cookie: this.flowCookie(origin, this.seal(claims, FLOW_AAD), FLOW_LIFETIME) };
  }

  /**
   * Completes it.
   * @param query Of the provider's callback.
   * @returns the session's cookie.
   * @throws SignInError unless this browser started the sign-in and the provider's user has a role; InvalidHostError (400)
   */
  async finishSignIn(request: FastifyRequest, query: string): Promise<string> {
    const blob = this.readCookie(request, FLOW_SUFFIX);
    const flow = blob === undefined ? null : (this.openBlob(blob, FLOW_AAD) as FlowClaims | null);
    if (flow === null || flow.end <= Date.now()) throw new SignInError('expired');
    const user = await this.oidc.finish(flow, query);
    const claims: UserClaims = { ...user, end: Date.now() + USER_LIFETIME * 1_000 };
    const value = this.seal(claims, USER_AAD);
    // Without a long ID token, the provider asks the user which session to end.
    const stored = value.length <= MAX_COOKIE ? value : this.seal({ ...claims, idToken: null }, USER_AAD);
    return this.cookie(request, stored, USER_LIFETIME);
  }

  /**
   * Where a user's browser signs out, after its cookie is deleted: at the provider, else at the console.
   * @throws CrossSiteRequestError (403) @throws InvalidHostError (400)
   */
  async findSignOut(request: FastifyRequest): Promise<string> {
    requireSameOrigin(request);
    const blob = this.readCookie(request);
    const user = blob === undefined ? null : (this.openBlob(blob, USER_AAD) as UserClaims | null);
    const returnUrl = this.locations.originOf(request) + CONSOLE;
    return (user && (await this.oidc.findSignOut(user.idToken, returnUrl))) ?? CONSOLE;
  }

  /** The cookie that deletes a browser's sign-in. @throws InvalidHostError (400) */
  closeSignIn(origin: RequestOrigin): string {
    return this.flowCookie(origin, '', 0);
  }

  /** The cookie that deletes a browser's session. @throws InvalidHostError (400) */
  close(origin: RequestOrigin): string {
    return this.cookie(origin, '', 0);
  }

  /** @throws CrossSiteRequestError (403) @throws InvalidHostError (400) */
  async find(request: FastifyRequest): Promise<SessionDocument | null> {
    const session = await this.read(request);
    return session && this.documentOf(session);
  }

  override async findActor(request: FastifyRequest): Promise<Actor | null> {
    return (await this.read(request))?.actor ?? null;
  }

  private async read(request: FastifyRequest): Promise<Session | null> {
    const blob = this.readCookie(request);
    if (blob === undefined) return null;
    requireSameOrigin(request);
    const user = this.openBlob(blob, USER_AAD) as UserClaims | null;
    if (user !== null) return this.sessionOf(user);
    const sealed = this.openBlob(blob, AAD) as SessionClaims | null;
    if (sealed === null || sealed.end <= Date.now()) return null;
    const { prefix, digest, end: expiresAt } = sealed;
    const actor = await this.keys.findActor({ prefix, digest: Buffer.from(digest, 'base64url') });
    return actor && { actor, expiresAt, isUser: false };
  }

  /** Roles are read again at each request: one that OIDC_ROLES no longer has is lost at the next start. */
  private sessionOf({ subject, values, end: expiresAt }: UserClaims): Session | null {
    const role = this.oidc.findRole(values);
    if (role === null || expiresAt <= Date.now()) return null;
    const { scopes, issuerId } = role;
    return {
      actor: { name: `user:${subject}`, scopes, issuerId, expiresAt: new Date(expiresAt) },
      expiresAt,
      isUser: true,
    };
  }

  private readCookie(request: FastifyRequest, suffix = ''): string | undefined {
    const { cookie } = request.headers;
    return cookie === undefined ? undefined : parseCookie(cookie)[this.nameFor(request) + suffix];
  }

  private seal(claims: object, aad: readonly string[]): string {
    return this.box.encrypt(Buffer.from(JSON.stringify(claims)), aad).toString('base64url');
  }

  private openBlob(blob: string, aad: readonly string[]): unknown {
    try {
      // Authenticated encryption: what decrypts was written here.
      return JSON.parse(this.box.decrypt(Buffer.from(blob, 'base64url'), aad).toString()) as unknown;
    } catch (error) {
      if (error instanceof SecretBoxError) return null;
      throw error;
    }
  }

  private documentOf({ actor: { name, scopes, issuerId }, expiresAt, isUser }: Session): SessionDocument {
    return {
      actor: name,
      scopes,
      issuer_id: issuerId,
      is_user: isUser,
      expires_at: new Date(expiresAt).toISOString(),
      new_issuer_policy: this.environment.defaultPolicy ?? RECOMMENDED_POLICY,
    };
  }

  private isSecure(origin: RequestOrigin): boolean {
    return this.locations.originOf(origin).startsWith('https:');
  }

  private nameFor(origin: RequestOrigin): string {
    return this.isSecure(origin) ? SECURE_NAME : NAME;
  }

  /** `Lax`: the provider leads the browser back from another site. It grants nothing by itself. */
  private flowCookie(origin: RequestOrigin, value: string, maxAge: number): string {
    return stringifySetCookie(this.nameFor(origin) + FLOW_SUFFIX, value, {
      maxAge,
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.isSecure(origin),
    });
  }

  private cookie(origin: RequestOrigin, value: string, maxAge: number): string {
    return stringifySetCookie(this.nameFor(origin), value, {
      maxAge,
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: this.isSecure(origin),
    });
  }
}
