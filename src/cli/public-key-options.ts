import type { Command } from 'commander';
import { UsageError } from './cli.errors.js';
import { readInput } from './input.js';

/** Options of an identity provider, which signs tokens of an issuer. */
export interface ProviderOptions {
  readonly jwksUrl?: string;
  readonly issAlias?: readonly string[];
  readonly aud?: string;
}

/** Options of a key without a shared secret. */
export interface PublicKeyOptions {
  readonly publicKey?: string;
  readonly algorithm?: string;
}

export function addProviderOptions(command: Command): Command {
  return command
    .option('--jwks-url <url>', "where further public keys are fetched; '' for nowhere")
    .option(
      '--iss-alias <text>',
      "another iss that its tokens may have, such as a provider’s URL; repeat it for several, '' for none",
      (value: string, previous?: readonly string[]) => [...(previous ?? []), value],
    )
    .option('--aud <text>', "what the aud of tokens without a secret must contain; '' for anything");
}

/** The members of the request; the backend validates them. */
export function readProviderOptions({ jwksUrl, issAlias, aud }: ProviderOptions): object {
  return {
    jwks_url: jwksUrl === '' ? null : jwksUrl,
    iss_aliases: issAlias?.filter((alias) => alias !== ''),
    aud: aud === '' ? null : aud,
  };
}

/** The key of the request, which the backend validates; undefined for a generated secret. @throws UsageError */
export function readPublicKeyOptions({ publicKey, algorithm }: PublicKeyOptions): object | undefined {
  if (publicKey !== undefined && algorithm === undefined) {
    throw new UsageError('--public-key requires --algorithm: EdDSA, ES256, RS256 or PS256.');
  }
  if (algorithm === undefined) return undefined;
  return { algorithm, public_key: publicKey === undefined ? undefined : readInput(publicKey) };
}
