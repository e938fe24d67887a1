import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import { closeServer, listen } from './http.js';

export const CLIENT = { client_id: 'pixseal-console', client_secret: 'a secret of the/test+suite' };

/** A provider on this machine whose user is signed in without a form. */
export interface OidcProvider {
  readonly issuer: string;
  /** The user of the next sign-in, and the groups in the ID token; null: the user refuses. */
  user: { readonly sub: string; readonly groups: readonly string[] | string } | null;
  /**
   * Makes the client known, once the address of the service is.
   * @param returnUris Where users may be led after they have signed out; without any, they cannot sign out here.
   */
  register(redirectUri: string, returnUris?: readonly string[]): void;
  close(): Promise<void>;
}

export async function startOidcProvider(): Promise<OidcProvider> {
  let provider: Provider | null = null;
  const server = createServer((request, response) => {
    if (provider === null) {
      response.writeHead(503).end();
    } else if (request.url?.startsWith('/interaction/') === true) {
      const { user } = started;
      const result = user === null ? { error: 'access_denied' } : { login: { accountId: user.sub } };
      void provider.interactionFinished(request, response, result);
    } else {
      void provider.callback()(request, response);
    }
  });
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  const started: OidcProvider = {
    issuer,
    user: null,
    register: (redirectUri, returnUris = []) => {
      provider = new Provider(issuer, {
        clients: [{ ...CLIENT, redirect_uris: [redirectUri], post_logout_redirect_uris: [...returnUris] }],
        claims: { openid: ['sub', 'groups'] },
        // The groups are in the ID token, as most providers can be configured.
        conformIdTokenClaims: false,
        cookies: { keys: ['a-key-of-the-test-suite'] },
        features: {
          devInteractions: { enabled: false },
          rpInitiatedLogout: { enabled: returnUris.length > 0 },
        },
        pkce: { required: () => true },
        interactions: { url: (_, { uid }) => `/interaction/${uid}` },
        findAccount: (_, sub) => ({
          accountId: sub,
          claims: () => ({ sub, groups: started.user?.groups }),
        }),
        loadExistingGrant: async ({ oidc }) => {
          const { client, session } = oidc;
          if (provider === null || client === undefined || session?.accountId === undefined) return undefined;
          const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
          grant.addOIDCScope('openid');
          await grant.save();
          return grant;
        },
      });
    },
    close: () => closeServer(server),
  };
  return started;
}
