import { Injectable } from '@nestjs/common';
import type { Exchange } from '../platform/http/exchange.js';
import { ProxyDisabledError } from './proxy-disabled.error.js';
import type { ProxiedImage, Redirect } from './redirect.js';

/** An image that is delivered instead of a redirect. */
export interface ProxiedRedirect extends Redirect {
  readonly proxied: ProxiedImage;
}

export const isProxied = (redirect: Redirect): redirect is ProxiedRedirect => redirect.proxied !== null;

/** Delivers proxied images. Without the module that `PROXY=on` loads, none. */
@Injectable()
export class ProxiedDelivery {
  /** Responds to a request that the decision admits. @throws ProxyDisabledError (503) */
  respond: (exchange: Exchange, redirect: ProxiedRedirect) => void = () => {
    throw new ProxyDisabledError();
  };
}
