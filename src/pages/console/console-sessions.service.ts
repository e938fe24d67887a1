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
import type { SessionDocument } from './session.document.js';

/** Seconds until a session expires. */
const LIFETIME = 8 * 3600;
const AAD = ['console_session'];
/** Over HTTPS, no other host can set a cookie of this name (RFC 6265bis §4.1.3.2). */
const SECURE_NAME = '__Host-pixseal_console';
const NAME = 'pixseal_console';

/** The encrypted content of a cookie: an admin key cannot be derived from it. */
interface SessionClaims {
  readonly prefix: string | null;
  /** In base64url. */
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly end: number;
}

interface Session {
  readonly actor: Actor;
  readonly expiresAt: number;
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
    const blob = this.box.encrypt(Buffer.from(JSON.stringify(sealed)), AAD);
    const cookie = this.cookie(origin, blob.toString('base64url'), LIFETIME);
    return { document: this.documentOf({ actor, expiresAt }), cookie };
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
    const { cookie } = request.headers;
    const blob = cookie === undefined ? undefined : parseCookie(cookie)[this.nameFor(request)];
    if (blob === undefined) return null;
    requireSameOrigin(request);
    const sealed = this.openBlob(blob);
    if (sealed === null || sealed.end <= Date.now()) return null;
    const { prefix, digest, end: expiresAt } = sealed;
    const actor = await this.keys.findActor({ prefix, digest: Buffer.from(digest, 'base64url') });
    return actor && { actor, expiresAt };
  }

  private openBlob(blob: string): SessionClaims | null {
    try {
      // Authenticated encryption: what decrypts was written here.
      return JSON.parse(this.box.decrypt(Buffer.from(blob, 'base64url'), AAD).toString()) as SessionClaims;
    } catch (error) {
      if (error instanceof SecretBoxError) return null;
      throw error;
    }
  }

  private documentOf({ actor: { name, scopes, issuerId }, expiresAt }: Session): SessionDocument {
    return {
      actor: name,
      scopes,
      issuer_id: issuerId,
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
