import { UsageError } from './cli.errors.js';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const DURATION = /^([1-9]\d{0,5})([smhd])$/;

/**
 * Seconds of a duration such as `90s`, `15m`, `1h` or `7d`.
 * @param option Its option, for the error.
 * @throws UsageError
 */
export function readDuration(option: string, text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new UsageError(`${option} must be a duration such as 90s, 15m, 1h or 7d.`);
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}
