import { type DynamicModule, Module, type Type } from '@nestjs/common';
import type { DeliveryMode } from '../../domain/delivery-mode.js';
import type { ProxySettings } from '../../platform/config/environment.js';
import { Observations } from '../../platform/observability/observations.js';
import { ProxiedDelivery } from '../proxied-delivery.js';
import { RedirectModule } from '../redirect.module.js';
import { TokenUses } from '../token-uses.service.js';
import { DiskCache } from './disk-cache.js';
import { OverloadedError } from '../../platform/rate-limit/overloaded.error.js';
import { Slots } from '../../platform/slots.js';
import { ImageProxy } from './image-proxy.service.js';
import { BlankSource, ImageSource } from './image-source.js';
import { Upstream } from './upstream.js';

/** Delivers images of issuers with `delivery: proxy`. */
@Module({})
export class ProxyModule {
  /** @param renderer Provides the `ImageSource` of mode `local`; null in other modes. */
  static for(settings: ProxySettings, deliveryMode: DeliveryMode, renderer: Type | null): DynamicModule {
    const blank = { provide: ImageSource, useClass: BlankSource };
    return {
      module: ProxyModule,
      imports: [RedirectModule, ...(renderer === null ? [] : [renderer])],
      providers: [
        ...(deliveryMode === 'blank' ? [blank] : []),
        {
          provide: ImageProxy,
          inject: [Observations, ProxiedDelivery, TokenUses, { token: ImageSource, optional: true }],
          useFactory: (
            observations: Observations,
            delivery: ProxiedDelivery,
            uses: TokenUses,
            source: ImageSource | null,
          ) => createProxy(settings, observations, delivery, uses, source ?? null),
        },
      ],
    };
  }
}

/** Fetches that wait for each one that may run. */
const WAITING = 4;
/** Partial files for each fetch that may run: slow clients keep those of images that are not stored. */
const PARTS = 2;

function createProxy(
  { cacheDir, cacheBytes, concurrency, upstream }: ProxySettings,
  observations: Observations,
  delivery: ProxiedDelivery,
  uses: TokenUses,
  source: ImageSource | null,
): ImageProxy {
  const limits = { running: concurrency, waiting: WAITING * concurrency };
  const slots = new Slots(limits, () => new OverloadedError());
  const cache = new DiskCache(cacheDir, cacheBytes, PARTS * concurrency);
  observations.fetchLoad = slots;
  observations.proxyCache = cache;
  const hosts = new Upstream(slots, concurrency, upstream, observations.fetches);
  return new ImageProxy(hosts, cache, source, observations, uses, delivery);
}
