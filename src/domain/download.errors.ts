import { ProblemError } from './problem.error.js';

/** 503: the policy delivers originals as downloads, and the service cannot create their links. */
export class DownloadUnavailableError extends ProblemError {
  /** @param reason Completes "Originals cannot be downloaded: …", without a full stop. */
  constructor(reason: string) {
    super('download_unavailable', `Originals cannot be downloaded: ${reason}.`);
  }
}
