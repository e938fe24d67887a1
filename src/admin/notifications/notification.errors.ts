import { ProblemError } from '../../domain/problem.error.js';

/** 401: a notification without Cloudinary's signature, or with an old one. */
export class InvalidNotificationError extends ProblemError {
  constructor() {
    super(
      'invalid_notification',
      'The notification is refused: it must be signed with an API secret of the account (X-Cld-Signature), less than two hours ago (X-Cld-Timestamp).',
    );
  }
}
