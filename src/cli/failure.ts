import { ProblemError } from '../domain/problem.error.js';
import { problemBody } from '../domain/problem-body.js';
import { printable } from './output.js';

/** Hints for problems on the command line, beside their detail. */
const HINTS: Readonly<Record<string, string>> = {
  admin_key_required: 'It is read from PIXSEAL_ADMIN_KEY or --admin-key-file.',
  invalid_image_id: 'Name the image with --image.',
};

/** An error as printed to standard error: never with a stack. */
export function formatFailure(error: unknown, json: boolean): string {
  if (json)
    return JSON.stringify(error instanceof ProblemError ? problemBody(error) : { detail: messageOf(error) });
  return `error: ${error instanceof ProblemError ? formatProblem(error) : messageOf(error)}`;
}

function formatProblem({ status, code, detail, extensions }: ProblemError): string {
  const faults = readFaults(extensions['errors']);
  if (faults.length > 0) {
    return [`these options are invalid (${status} ${code})`, ...faults].map(printable).join('\n  ');
  }
  const hint = HINTS[code];
  return printable(`${status} ${code}: ${detail}${hint === undefined ? '' : ` ${hint}`}`);
}

/** The invalid members of a request, each with its option. */
function readFaults(errors: unknown): string[] {
  if (!Array.isArray(errors)) return [];
  const lines = (errors as readonly Readonly<Record<string, unknown>>[]).map(
    ({ key, detail }) => `${optionOf(String(key))} ${String(detail)}`,
  );
  // Several rules of one member may have the same message.
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
