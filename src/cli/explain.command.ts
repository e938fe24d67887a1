import type { Command } from 'commander';
import type { ExplanationView } from '../redirect/explanation.view.js';
import type { ExplanationRequest, Json } from './backend.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, findServer, withBackend, type GlobalOptions } from './global-options.js';
import { readInput } from './input.js';
import { formatRows, printable, printResult } from './output.js';

interface ExplainOptions extends GlobalOptions {
  readonly image?: string;
}

/** The path's id if the token names its image. */
const ANY_NAME = 'image';

export function addExplainCommand(program: Command): void {
  addGlobalOptions(
    program
      .command('explain')
      .summary('show what a token or URL does, step by step')
      .description(
        'Shows what a token does: each step with its component, each ignored claim and key with the reason, the ' +
          'signed URL, and the redirect’s target. A refused token is shown with the problem, and the exit code is 1.\n' +
          'A URL is explained by the service that it names; a token or a path by the database of this environment.\n' +
          'No admin key is needed.',
      )
      .argument('<token|url>', 'a token, an image’s URL or path with or without one, or - for standard input')
      .option('--image <uuid>', 'the image, if the token does not name it'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal explain 'http://127.0.0.1:3000/images/161400d0-c894-42fd-8100-262361ea91ff?token=eyJ0…'
  $ pixseal explain eyJ0… --image 161400d0-c894-42fd-8100-262361ea91ff
  $ pixseal token mint --step angle=90 | pixseal explain - --image 161400d0-c894-42fd-8100-262361ea91ff

Quote URLs: the shell interprets ? and &.`,
    )
    .action(explain);
}

async function explain(subject: string, options: ExplainOptions): Promise<void> {
  const text = (subject === '-' ? readInput('-') : subject).trim();
  const { server, ...request } = readRequest(text, options.image);
  const selected = findServer(options) ?? server;
  const explanation = await withBackend(
    { ...options, ...(selected === null ? {} : { server: selected }) },
    (backend) => backend.explain(request),
  );
  printResult(explanation, () => formatExplanation(explanation));
}

/** Resolves paths; it is never requested. */
const NO_SERVER = 'http://pixseal.invalid';

/**
 * @returns the request, and the address of the service that a URL names; null for a token or a path.
 * @throws UsageError for a URL that is not an image's.
 */
function readRequest(
  text: string,
  image: string | undefined,
): ExplanationRequest & { readonly server: string | null } {
  if (!/^(?:https?:\/\/|\/)/i.test(text)) {
    return { server: null, pathId: image ?? ANY_NAME, query: new URLSearchParams({ token: text }) };
  }
  const url = URL.canParse(text, NO_SERVER) ? new URL(text, NO_SERVER) : null;
  const [, prefix = '', name] = /^(.*)\/images\/([^/]+)(?:\/explain)?$/.exec(url?.pathname ?? '') ?? [];
  if (url === null || name === undefined) {
    throw new UsageError(
      'Not the URL of an image. Expected …/images/IMAGE_ID, with ?token=… if the image is sealed.',
    );
  }
  return {
    server: url.origin === NO_SERVER ? null : url.origin + prefix,
    pathId: image ?? decodeURIComponent(name),
    query: url.searchParams,
  };
}

function formatExplanation(explanation: Json<ExplanationView>): string[] {
  const { image_id: image, issuer_id: issuer, key_id: key, expires_at: expires, steps } = explanation;
  const sealed = key !== null;
  return [
    ...formatRows([
      ['image', image],
      ['issuer', issuer],
      ['signed by', sealed ? `key ${key}` : 'none: the image is public'],
      ['expires', expires ?? 'never'],
    ]),
    '',
    ...formatRows([
      ...explanation.ignored_claims.map((entry) => ['claims', ignoredText(entry.claim, entry)] as const),
      ['base', explanation.base_chain.join('/') || '(none)'],
      ...steps.flatMap(({ step, component, ignored }) => [
        [`step ${step}`, component === '' ? '(nothing)' : component] as const,
        ...ignored.map((entry) => ['', ignoredText(entry.key, entry)] as const),
      ]),
    ]),
    '',
    ...formatRows([
      ['signed URL', explanation.url],
      ['redirects to', explanation.location],
    ]),
  ].map(printable);
}

function ignoredText(
  name: string,
  { reason, near }: { readonly reason: string; readonly near?: string },
): string {
  return `ignored ${name}: ${reason}${near === undefined ? '' : ` (near: ${near})`}`;
}
