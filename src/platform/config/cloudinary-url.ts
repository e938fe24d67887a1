import { type Account, DELIVERY_HOST_RULE, isDeliveryHost } from '../../domain/account.js';
import { isBareOrigin } from './bare-origin.js';
import { SETTINGS } from './settings.js';

/** What `CLOUDINARY_URL` contains; null for an option that it omits. */
export interface CloudinaryUrl extends Pick<Account, 'cloudName' | 'apiSecret' | 'privateCdn' | 'host'> {
  readonly apiKey: string;
  readonly uploadPrefix: string | null;
  readonly signature: Account['signature'] | null;
}

/** An option, as the SDK reads it from the query of `CLOUDINARY_URL`. */
interface Option {
  /** Completes "NAME must …". */
  readonly must: string;
  readonly isValid: (value: string) => boolean;
}

// The SDK reads every text as true, `false` too.
const SWITCH: Option = { must: 'be true, or be omitted', isValid: (value) => value === 'true' };

const OPTIONS = {
  private_cdn: SWITCH,
  secure_distribution: { must: DELIVERY_HOST_RULE, isValid: isDeliveryHost },
  secure: SWITCH,
  upload_prefix: {
    must: SETTINGS.CLOUDINARY_UPLOAD_PREFIX.must,
    isValid: (value) => URL.canParse(value) && isApiOrigin(new URL(value)),
  },
  signature_algorithm: { must: 'be sha1 or sha256', isValid: (value) => /^sha(?:1|256)$/.test(value) },
  long_url_signature: SWITCH,
} satisfies Readonly<Record<string, Option>>;

type OptionName = keyof typeof OPTIONS;
const NAMES = Object.keys(OPTIONS) as OptionName[];

/**
 * Reads `CLOUDINARY_URL` as the SDK does, and refuses every option that would change URLs in another way.
 * @returns the account, or null for a URL of another form; and problems, each of which follows the variable's name and
 *   contains no value.
 */
export function readCloudinaryUrl(url: URL): {
  readonly account: CloudinaryUrl | null;
  readonly problems: readonly string[];
} {
  // Cloudinary's secrets are base64url; a percent sign would be the URL parser's escape of another character.
  const account = { cloudName: url.hostname, apiKey: url.username, apiSecret: url.password };
  const hasForm =
    url.hash === '' && url.port === '' && Object.values(account).every((part) => /^[\w-]+$/.test(part));
  if (!hasForm) return { account: null, problems: [] };

  const problems: string[] = [];
  // The SDK reads a path as the host of a private CDN.
  if (url.pathname !== '' && url.pathname !== '/') {
    problems.push('must have no path: write ?private_cdn=true&secure_distribution=HOST instead');
  }
  for (const name of new Set(url.searchParams.keys())) {
    const problem = findProblem(name, url.searchParams.getAll(name));
    if (problem !== null) problems.push(problem);
  }
  const option = (name: OptionName): string | null => url.searchParams.get(name);
  const prefix = option('upload_prefix');
  return {
    account: {
      ...account,
      privateCdn: option('private_cdn') !== null,
      host: option('secure_distribution'),
      uploadPrefix: prefix !== null && URL.canParse(prefix) ? new URL(prefix).origin : null,
      signature:
        option('long_url_signature') === null
          ? (option('signature_algorithm') as CloudinaryUrl['signature'])
          : 'long',
    },
    problems,
  };
}

function findProblem(name: string, values: readonly string[]): string | null {
  const known = NAMES.find((each) => each === name);
  if (known === undefined) {
    // A name that is not one may be a part of a secret.
    const shown = /^[\w[\].-]{1,64}$/.test(name) ? ` ${name}` : '';
    return `has the option${shown}, which is not supported: supported are ${NAMES.join(', ')}`;
  }
  if (values.length > 1) return `has the option ${known} more than once`;
  return values.every(OPTIONS[known].isValid)
    ? null
    : `has the option ${known}, which must ${OPTIONS[known].must}`;
}

/** Whether a URL can be the origin of Cloudinary's API: https, since http would expose originals on a network. */
export function isApiOrigin(url: URL): boolean {
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  return isBareOrigin(url) && (url.protocol === 'https:' || (isLocal && url.protocol === 'http:'));
}
