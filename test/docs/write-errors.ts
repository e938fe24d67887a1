import { STATUS_CODES } from 'node:http';
import { type ProblemDescription, PROBLEMS } from '../../src/domain/problems.js';

const all: readonly (readonly [code: string, problem: ProblemDescription])[] = Object.entries(PROBLEMS);

const sections = [...new Set(all.map(([, { statuses }]) => statuses[0]))].map((status) => {
  const problems = all
    .filter(([, { statuses }]) => statuses[0] === status)
    .map(([code, { statuses, when, action }]) => {
      const others = statuses.slice(1);
      const alsoWith = others.length === 0 ? '' : `\nThe status may also be ${others.join(', ')}.`;
      return `### ${code}\n\n${when}${alsoWith}\n\n**What to do:** ${action}`;
    });
  return [`## ${status} ${STATUS_CODES[status] ?? ''}`, ...problems].join('\n\n');
});

/** Writes docs/errors.md from the table of problems. */
export function writeErrors(): string {
  return `<!-- Generated from src/domain/problems.ts by \`npm run docs:build\`: do not edit. -->

# Errors

Every error is \`application/problem+json\` (RFC 9457) with a stable \`code\`.
Its \`detail\` describes what to do about the request at hand; its headers include \`X-Request-Id\`.
Only rendered images respond as Cloudinary does: with a status, and the reason in \`X-Cld-Error\`.

${sections.join('\n\n')}
`;
}
