import type { Environment } from '../config/environment.js';

/** The service cannot listen at `HOST` and `PORT`. */
export class ListenError extends Error {
  /** @param cause Node's error of `listen`. */
  constructor({ host, port }: Pick<Environment, 'host' | 'port'>, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const reason = cause instanceof Error ? cause.message : 'no reason';
    super(problemOf(code, host, port) ?? `The service cannot listen at ${host}, port ${port}: ${reason}`, {
      cause,
    });
    this.name = 'ListenError';
  }
}

function problemOf(code: string, host: string, port: number): string | null {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} is in use: set PORT to a free one, such as PORT=${port === 65_535 ? 3000 : port + 1}`;
    case 'EACCES':
      return `Port ${port} needs a privilege that this process lacks: set PORT to 1024 or more`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return `${host} is not an address of this machine: set HOST to one, or to 0.0.0.0 for all`;
    default:
      return null;
  }
}
