import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';

/** The pages built from web/, by the names of their HTML files. */
export type PageName = 'console' | 'playground';

/** Beside this file's own build or, if this file runs from source, in `dist/`. */
const FOLDERS = ['../../web/', '../../dist/web/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** The HTML pages: served under a strict Content Security Policy, with assets under hashed names. */
@Injectable()
export class PagesService implements OnModuleInit {
  private readonly folder = findFolder();
  private readonly html = new Map<PageName, string>();
  /** The headers of every page's response. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    private readonly adapter: HttpAdapterHost,
    @Inject(ENVIRONMENT) environment: Pick<Environment, 'deliveryMode' | 'publicUrl'>,
  ) {
    this.headers = {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': contentSecurityPolicy(environment),
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cache-Control': 'no-cache',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    };
  }

  /** Serves `/web/assets/`: only the built files. A name changes with its content. */
  onModuleInit(): void {
    // The command line has no HTTP adapter, despite the type.
    const adapter = this.adapter.httpAdapter as typeof this.adapter.httpAdapter | null;
    // Not awaited: Fastify would start at once, before Nest has installed the filter for its own errors.
    void adapter?.getInstance<FastifyInstance>().register(fastifyStatic, {
      root: `${this.folder}assets`,
      prefix: '/web/assets/',
      wildcard: false,
      index: false,
      decorateReply: false,
      preCompressed: true,
      immutable: true,
      maxAge: '365d',
    });
  }

  /** A page's HTML, to be sent with `headers`. */
  page(name: PageName): string {
    const html = this.html.get(name) ?? readFileSync(`${this.folder}${name}.html`, 'utf8');
    this.html.set(name, html);
    return html;
  }
}

function findFolder(): string {
  const folder = FOLDERS.find((path) => existsSync(`${path}assets`));
  if (folder === undefined) throw new Error('The pages are not built. Run: npm run build');
  return folder;
}

/**
 * Everything comes from this origin, and nothing is inline. Images come from the redirects' targets; `blob:` are images
 * that the page has fetched itself. In mode `cloudinary` every host of https may deliver images: accounts are added while
 * the service runs, and a list of their hosts would be public.
 */
function contentSecurityPolicy({
  deliveryMode,
  publicUrl,
}: Pick<Environment, 'deliveryMode' | 'publicUrl'>): string {
  const pictures = [
    ...(deliveryMode === 'cloudinary' ? ['https:'] : []),
    ...(publicUrl === null ? [] : [publicUrl]),
  ];
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    ["img-src 'self' blob:", ...pictures].join(' '),
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; ');
}
