import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { Injectable } from '@nestjs/common';
import { isPublicAddress } from '../platform/http/public-address.js';

/**
 * The network in which the keys of issuers are fetched: the public internet, with the certificates that Node trusts. No
 * setting changes it, since an issuer's `jwks_url` must not reach the services beside this one; tests replace its methods.
 */
@Injectable()
export class JwksNetwork {
  /** Further certificates to trust, in PEM. */
  readonly ca: string | undefined = undefined;

  /** All addresses of a host name. @throws Error of the resolver */
  resolve(hostname: string): Promise<LookupAddress[]> {
    return lookup(hostname, { all: true });
  }

  /** Whether a connection to this IP address may be opened. */
  isAllowed(address: string): boolean {
    return isPublicAddress(address);
  }
}
