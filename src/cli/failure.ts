import { ProblemError } from '../domain/problem.error.js';
import { problemBody } from '../domain/problem-body.js';
import { printable } from './output.js';

/** What helps with a problem on the command line, beside its own detail. */
const HINTS: Readonly<Record<string, string>> = {
  admin_key_required: 'It is read from PIXSEAL_ADMIN_KEY or --admin-key-file.',
  invalid_image_id: 'Name the image with --image.',
};

/** An error as standard error shows it: never a stack. */
export function formatFailure(error: unknown, json: boolean): string {
  if (json)
    return JSON.stringify(error instanceof ProblemError ? problemBody(error) : { detail: messageOf(error) });
  return `error: ${error instanceof ProblemError ? formatProblem(error) : messageOf(error)}`;
}

function formatProblem({ status, code, detail, extensions }: ProblemError): string {
  const faults = readFaults(extensions['errors']);
  if (faults.length > 0) {
    return [`these options cannot be used (${status} ${code})`, ...faults].map(printable).join('\n  ');
  }
  const hint = HINTS[code];
  return printable(`${status} ${code}: ${detail}${hint === undefined ? '' : ` ${hint}`}`);
}

/** The faults of a request, each with the option that the member came from. */
function readFaults(errors: unknown): string[] {
  if (!Array.isArray(errors)) return [];
  const lines = (errors as readonly Readonly<Record<string, unknown>>[]).map(
    ({ key, detail }) => `${optionOf(String(key))} ${String(detail)}`,
  );
  // Several rules of one member may say the same.
  return [...new Set(lines)];
}

function optionOf(member: string): string {
  const [, policyMember] = /^policy\.(.+)$/.exec(member) ?? [];
  if (policyMember !== undefined) return `--policy: ${policyMember}`;
  return member === 'issuer_id' ? '--issuer' : `--${member.replaceAll('_', '-')}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
