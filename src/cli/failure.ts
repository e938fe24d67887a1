import { ProblemError } from '../domain/problem.error.js';
import { problemBody } from '../domain/problem-body.js';
import { UsageError } from './cli.errors.js';
import { printable } from './output.js';

/** Hints for problems on the command line, beside their detail. */
const HINTS: Readonly<Record<string, string>> = {
  admin_key_required: 'It is read from PIXSEAL_ADMIN_KEY, PIXSEAL_ADMIN_KEY_FILE or --admin-key-file.',
  invalid_image_id: 'Name the image with --image.',
};

/** Whether the command line itself is at fault, and not what it refers to. */
export function isUsageFailure(error: unknown): boolean {
  return error instanceof UsageError || (error instanceof ProblemError && faultsOf(error).length > 0);
}

/** An error as printed to standard error: never with a stack. */
export function formatFailure(error: unknown, json: boolean): string {
  if (!json) return `error: ${error instanceof ProblemError ? formatProblem(error) : messageOf(error)}`;
  if (error instanceof ProblemError) return JSON.stringify(problemBody(error));
  const code = isUsageFailure(error) ? 'invalid_command_line' : 'command_failed';
  return JSON.stringify({ code, detail: messageOf(error) });
}

function formatProblem(problem: ProblemError): string {
  const { status, code, detail } = problem;
  const faults = faultsOf(problem);
  if (faults.length > 0) {
    return [`these options are invalid (${status} ${code})`, ...faults].map(printable).join('\n  ');
  }
  const hint = HINTS[code];
  return printable(`${status} ${code}: ${detail}${hint === undefined ? '' : ` ${hint}`}`);
}

/** The invalid members of a request, each with its option. */
function faultsOf({ extensions: { errors } }: ProblemError): string[] {
  if (!Array.isArray(errors)) return [];
  const lines = (errors as readonly Readonly<Record<string, unknown>>[]).map(
    ({ key, detail }) => `${optionOf(String(key))} ${String(detail)}`,
  );
  // Several rules of one member may have the same message.
  return [...new Set(lines)];
}

/** Members whose option has another name. */
const OPTIONS: Readonly<Record<string, string>> = {
  issuer_id: '--issuer',
  account_id: '--account',
  session_id: '--session',
  row_id: '--row',
};

function optionOf(member: string): string {
  const [, policyMember] = /^policy\.(.+)$/.exec(member) ?? [];
  if (policyMember !== undefined) return `--policy: ${policyMember}`;
  return OPTIONS[member] ?? `--${member.replaceAll('_', '-')}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
