import type { LoggerService } from '@nestjs/common';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from '../config/environment.js';

/** Characters of a batch. */
const BATCH = 16 * 1024;
/** Milliseconds until a smaller batch is written. */
const FLUSH_INTERVAL = 100;
/** Bytes that wait for a slow reader; further lines are dropped. */
const MAX_WAITING = 16 * 1024 * 1024;

/**
 * Standard output of the process, written in batches and never awaited. The last batch is written when the process exits
 * or crashes; SIGKILL loses at most 100 ms.
 */
class LogOutput implements DestinationStream {
  // It measures all that waits again for each line, so it receives whole batches.
  private readonly destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING });
  private batch = '';

  constructor() {
    setInterval(() => {
      this.flush();
    }, FLUSH_INTERVAL).unref();
    process.once('exit', () => {
      this.flushSync();
    });
  }

  write(line: string): void {
    this.batch += line;
    if (this.batch.length >= BATCH) this.flush();
  }

  /** Writes every line before it returns; pino calls it for a fatal error. */
  flushSync(): void {
    this.flush();
    this.destination.flushSync();
  }

  private flush(): void {
    if (this.batch === '') return;
    this.destination.write(this.batch);
    this.batch = '';
  }
}

export const logOutput = new LogOutput();

/** JSON lines on standard output. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    logOutput,
  );
}

/** Nest's bootstrap loggers: debug level only. `main` reports a start that fails. */
const FRAMEWORK_CONTEXTS = new Set<unknown>([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
  'ExceptionHandler',
]);

/** Nest's own messages, through the same logger. Their last parameter is the context's name. */
export class JsonLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...parameters: unknown[]): void {
    this.write('info', message, parameters);
  }
  error(message: unknown, ...parameters: unknown[]): void {
    this.write('error', message, parameters);
  }
  warn(message: unknown, ...parameters: unknown[]): void {
    this.write('warn', message, parameters);
  }
  debug(message: unknown, ...parameters: unknown[]): void {
    this.write('debug', message, parameters);
  }
  fatal(message: unknown, ...parameters: unknown[]): void {
    this.write('fatal', message, parameters);
  }

  private write(
    level: 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    parameters: unknown[],
  ): void {
    const context = parameters.at(-1);
    const [stack] = parameters.length > 1 ? parameters : [];
    const error = message instanceof Error ? { error: message.message, stack: message.stack } : {};
    this.logger[FRAMEWORK_CONTEXTS.has(context) ? 'debug' : level](
      {
        ...(typeof context === 'string' ? { context } : {}),
        ...(typeof stack === 'string' ? { stack } : {}),
        ...error,
      },
      message instanceof Error ? message.name : String(message),
    );
  }
}
