/** What is known of a problem by its code. */
export interface ProblemDescription {
  /** HTTP statuses, 400 to 599, the usual one first. */
  readonly statuses: readonly [number, ...number[]];
  /** When a request is refused with it: Markdown without links, one sentence a line. */
  readonly when: string;
  /** What the client or the operator does about it: likewise. */
  readonly action: string;
}

/** Every problem that the service responds with, by its stable code. docs/errors.md and OpenAPI are generated from it. */
export const PROBLEMS = {
  bad_request: {
    statuses: [400],
    when: 'The path, a header or the body cannot be read.',
    action: 'Send a well-formed HTTP request, and a body in JSON.',
  },
  invalid_host: {
    statuses: [400],
    when: 'The `Host` header is not a host name, and the response needs a URL of this service.',
    action: 'Send a host name with an optional port, or set `PUBLIC_URL`.',
  },
  invalid_image_id: {
    statuses: [400],
    when: 'The id in the path is not a UUID, and the token does not name one image.',
    action: 'Use the id of an image, or a token whose `image_id` names it.',
  },
  two_tokens: {
    statuses: [400],
    when: 'The request has a token in its query and in `Authorization`.',
    action: 'Pass it in one of them.',
  },
  token_required: {
    statuses: [401],
    when: 'The request has no token, and no public image has this id.',
    action: 'Pass a token of the issuer as `?token=` or as `Authorization: Bearer TOKEN`.',
  },
  invalid_token: {
    statuses: [401],
    when: 'The token is refused.\n`detail` gives the reason if it does not help an attacker: an unknown issuer, a wrong signature, a retired key, a disabled issuer and a revoked token get the same response.',
    action: 'Sign a new token, as `detail` describes.',
  },
  invalid_notification: {
    statuses: [401],
    when: 'The notification is not signed with an API secret of the account, or not within the last two hours.\nAn unknown account gets the same response.',
    action: 'Check the account’s secrets, the id in the path and the clock of this machine.',
  },
  admin_key_required: {
    statuses: [401],
    when: 'The admin API requires an admin key, and the request has none, or one that is unknown, revoked or expired.',
    action: 'Send a valid admin key as `Authorization: Bearer KEY`.',
  },
  wrong_admin_key: {
    statuses: [401],
    when: 'The console refuses to sign in with a key that is unknown, revoked or expired.',
    action: 'Sign in with a valid admin key.',
  },
  cross_site_request: {
    statuses: [403],
    when: 'A request with a session of the console was not sent by the console.',
    action: 'Send an admin key as `Authorization: Bearer KEY` instead.',
  },
  image_not_in_token: {
    statuses: [403],
    when: 'The `image_id` of the token lists other images.',
    action: 'Sign a token whose `image_id` lists this image.',
  },
  address_not_in_token: {
    statuses: [403],
    when: 'The `bind_ip` of the token does not contain the client’s address, or the service does not know that address.',
    action: 'Sign a token for the client’s address; the operator checks `TRUST_PROXY`.',
  },
  insufficient_scope: {
    statuses: [403],
    when: 'The admin key lacks the scope, is bound to an issuer, or would create a key with more rights than its own.',
    action: 'Use an admin key with the scope that `detail` names.',
  },
  policy_violation: {
    statuses: [403],
    when: 'The issuer’s policy forbids it: `rule`, `limit`, and `step` and `key` if there is one.',
    action: 'Sign a token within the policy, or change the policy.',
  },
  account_not_found: {
    statuses: [404],
    when: 'No Cloudinary account has this id.',
    action: 'Check the id; the account of `CLOUDINARY_URL` has none.',
  },
  account_secret_not_found: {
    statuses: [404],
    when: 'The Cloudinary account has no such secret.',
    action: 'Check both ids.',
  },
  admin_key_not_found: {
    statuses: [404],
    when: 'No admin key has this id.',
    action: 'Check the id; the keys of `ADMIN_API_KEYS` have none.',
  },
  image_not_found: {
    statuses: [404],
    when: 'The issuer has no such image.\nAn image of another issuer gets the same response.',
    action: 'Check the id and the issuer.',
  },
  issuer_not_found: {
    statuses: [404],
    when: 'No issuer has this id: in the admin API, or in a rule of `CLOUDINARY_REGISTER` for a notification.',
    action: 'Check the id, or create the issuer.',
  },
  key_not_found: {
    statuses: [404],
    when: 'The issuer has no such key.',
    action: 'Check both ids.',
  },
  not_found: {
    statuses: [404],
    when: 'No route matches this method and path.',
    action: 'Check both.',
  },
  original_missing: {
    statuses: [404],
    when: 'The policy delivers images through the service, and Cloudinary has no original of the image.',
    action: 'Upload the original to Cloudinary, or delete the image.',
  },
  overlay_not_found: {
    statuses: [404],
    when: 'The issuer has no such overlay: of a step, or in the admin API.',
    action: 'Check the id and the issuer.',
  },
  public_id_not_retained: {
    statuses: [404],
    when: 'No public id is retained under this id.',
    action: 'Check the id: it may have been released, or registered again.',
  },
  revocation_not_found: {
    statuses: [404],
    when: 'The issuer has no such revocation.',
    action: 'Check both ids: the token may have been restored, or may have expired.',
  },
  method_not_allowed: {
    statuses: [405],
    when: 'The method is unknown.',
    action: 'Use a method of HTTP.',
  },
  request_timeout: {
    statuses: [408],
    when: 'The request did not arrive in time.',
    action: 'Send it again.',
  },
  account_not_empty: {
    statuses: [409],
    when: 'A Cloudinary account with issuers cannot be deleted.',
    action: 'Delete the issuers first, or disable the account.',
  },
  api_key_taken: {
    statuses: [409],
    when: 'The Cloudinary account has a secret with this API key already.',
    action: 'Delete that secret first, or change it.',
  },
  cloud_name_taken: {
    statuses: [409],
    when: 'Another Cloudinary account has the cloud name: a row, or the account of `CLOUDINARY_URL`.',
    action: 'Use that account.',
  },
  id_taken: {
    statuses: [409],
    when: 'A row has the supplied `id` already.',
    action: 'Supply another UUID, or omit `id` to have one generated.',
  },
  idempotency_answer_lost: {
    statuses: [409],
    when: 'The request of this `Idempotency-Key` was carried out, but its response was not stored.',
    action: 'Look for the row; it is not created twice.',
  },
  idempotency_in_progress: {
    statuses: [409],
    when: 'A request of this `Idempotency-Key` is in progress.',
    action: 'Send it again after `Retry-After`.',
  },
  image_format_unknown: {
    statuses: [409],
    when: 'The issuer’s `delivery_format` is `original`, and the image was registered without its `format`.',
    action: 'Set the image’s `format` with `PATCH /admin/images/:id`, or another `delivery_format`.',
  },
  iss_alias_taken: {
    statuses: [409],
    when: 'Another issuer has one of the `iss_aliases`.',
    action: 'Remove it from that issuer first.',
  },
  issuer_not_empty: {
    statuses: [409],
    when: 'An issuer with images or overlays cannot be deleted.\nAn issuer that has had images or overlays of one account cannot be moved to another.',
    action: 'Delete them first, or disable the issuer; create another issuer for another account.',
  },
  no_live_key: {
    statuses: [409],
    when: 'The issuer has no key with a secret that is valid now, so no preview can be signed.',
    action: 'Create such a key, or change when one is valid.',
  },
  no_preview: {
    statuses: [409],
    when: 'The overlay is a font file, which has no thumbnail.',
    action: 'Show its public id instead.',
  },
  original_exists: {
    statuses: [409],
    when: 'The public id has another original already.',
    action: 'Replace it with `PUT …/original`, or use another public id.',
  },
  public_id_taken: {
    statuses: [409],
    when: 'The public id is registered already, by this issuer or another, or is retained for its former issuer.',
    action: 'Use or delete the row that has it, or release it at `/admin/retained-public-ids`.',
  },
  signing_secret_required: {
    statuses: [409],
    when: 'The secret of a Cloudinary account that signs cannot be deleted, and cannot expire.',
    action: 'Let another secret sign first.',
  },
  too_many_account_secrets: {
    statuses: [409],
    when: 'The number of the secrets of the Cloudinary account is at its limit of 4.',
    action: 'Delete a secret that is no longer used.',
  },
  too_many_admin_keys: {
    statuses: [409],
    when: 'The number of admin keys is at its limit of 10,000.',
    action: 'Revoke keys that are no longer used.',
  },
  too_many_keys: {
    statuses: [409],
    when: 'The number of the issuer’s keys is at its limit of 8.',
    action: 'Revoke a key that is no longer used.',
  },
  image_deleted: {
    statuses: [410],
    when: 'The image was deleted, and the issuer’s policy has no placeholder.',
    action: 'Remove the links to it.',
  },
  image_rejected: {
    statuses: [410],
    when: 'Cloudinary’s moderation rejected the image, and the issuer’s policy has no placeholder.',
    action: 'Approve the image in Cloudinary, or upload another one there.',
  },
  body_too_large: {
    statuses: [413],
    when: 'The body is over 64 KiB; for `/deliveries` over 5 MiB, for `/cloudinary/notifications` over 1 MiB.',
    action: 'Send less at once.',
  },
  original_too_large: {
    statuses: [413],
    when: 'The file is over 25 MiB.',
    action: 'Send a smaller file.',
  },
  uri_too_long: {
    statuses: [414],
    when: 'A part of the path is over 16 KiB.',
    action: 'Shorten the path.',
  },
  unsupported_media_type: {
    statuses: [415],
    when: 'The body is not `application/json`, nor a form where the route accepts one.',
    action: 'Send the body with a `Content-Type` that the route accepts.',
  },
  range_not_satisfiable: {
    statuses: [416],
    when: 'The `Range` of a request for an image is beyond its end.',
    action: 'Request a part of the image, or all of it.',
  },
  idempotency_key_reused: {
    statuses: [422],
    when: 'The `Idempotency-Key` was used with another body.',
    action: 'Send a new key for a new request.',
  },
  invalid_original: {
    statuses: [422],
    when: 'The file is not an image that the service accepts: `limit` names the limit.',
    action: 'Send another file, as `detail` describes.',
  },
  invalid_request: {
    statuses: [422],
    when: 'The body or the query is not of the form that the route accepts.',
    action: 'Correct every key that `errors` lists.',
  },
  invalid_transformation: {
    statuses: [422],
    when: 'A step is outside of the vocabulary: `step`, `key`, `value` and `allowed` name it.\nOr the URL would be over 4,096 characters.',
    action: 'Fix the step and sign a new token.',
  },
  upload_failed: {
    statuses: [422, 502, 503, 504],
    when: 'Cloudinary did not accept the original: `detail` has its message.\n422: it refuses the file; 502: the account or Cloudinary failed; 503: too many uploads; 504: no response in time.',
    action: 'Send another file for 422, otherwise try again.',
  },
  too_many_requests: {
    statuses: [429],
    when: 'The address or the issuer sends too many requests, or the address too many wrong admin keys.\nOr too many tokens signed for public keys were refused: 500 a second of one issuer, 1,000 of all, and then 20 of each issuer, 1,000 of all.',
    action: 'Send the request again after `Retry-After`, which is `retry_after` in the body.',
  },
  picture_budget_spent: {
    statuses: [429],
    when: 'The image under this chain is new, and the issuer’s policy allows no more new pictures on this day (UTC): `limit` is its `new_pictures_per_day`.\nPictures that were delivered within the last 30 days are still delivered.',
    action:
      'Send the request again after `Retry-After`, which is `retry_after` in the body, or raise the budget.',
  },
  headers_too_large: {
    statuses: [431],
    when: 'The request line and the headers are over 16 KiB.',
    action: 'Shorten the token (at most 8 KiB) or the headers.',
  },
  internal_error: {
    statuses: [500],
    when: 'Pixseal has a defect.',
    action: 'Try again, and report the `X-Request-Id` if it happens again.',
  },
  upstream_failed: {
    statuses: [502],
    when: 'The policy delivers images through the service, and Cloudinary did not deliver the image: `detail` has its `X-Cld-Error`.\nA response that is neither an image nor a PDF, over 25 MiB, cut short or a redirect is a failure too.',
    action: 'Correct what `detail` names; try again if Cloudinary is unreachable.',
  },
  counter_unavailable: {
    statuses: [503],
    when: 'Redis does not respond, and a picture may be new under a policy with `new_pictures_per_day`, or a token has `max_uses`.\nNothing is delivered that cannot be counted.',
    action: 'Try again after `Retry-After`; the operator checks `REDIS_URL`.',
  },
  database_unavailable: {
    statuses: [503],
    when: 'The database is unreachable and the response is not cached, or the database aborted a conflicting write.',
    action: 'Try again after `Retry-After`.',
  },
  account_unavailable: {
    statuses: [503],
    when: 'The Cloudinary account of the issuer is disabled, has the cloud name of the account in `CLOUDINARY_URL`, or has a stored secret that cannot be decrypted.\nOther accounts are not affected.',
    action: 'The operator enables the account, or replaces the secret.',
  },
  download_unavailable: {
    statuses: [503],
    when: 'The policy delivers originals as downloads by Cloudinary’s API, and the service has no API key of the account, or `DELIVERY_MODE` is `local`.',
    action: 'Set `CLOUDINARY_URL`, or another `original` in the policy.',
  },
  draining: {
    statuses: [503],
    when: '`/health/ready`: the process is about to exit, and serves until then.',
    action: 'Send requests to another process.',
  },
  issuer_unavailable: {
    statuses: [503],
    when: 'The stored secret of a key that may have signed the token cannot be decrypted, or its public key not be read: it was altered.',
    action: 'The operator replaces the key.',
  },
  jwks_unavailable: {
    statuses: [503],
    when: 'The keys of the issuer’s `jwks_url` could not be fetched, and no copy of the last 24 hours has the key of the token.',
    action: 'Try again after `Retry-After`; the operator checks the URL and the log.',
  },
  not_ready: {
    statuses: [503],
    when: '`/health/ready`: the database is unreachable for longer than cached rows are served.',
    action: 'Check the database.',
  },
  overloaded: {
    statuses: [503],
    when: 'The process has a backlog, is reading four uploads, fetches as many images as `PROXY_CONCURRENCY` allows, or has nearly used up its memory.',
    action: 'Try again after `Retry-After`, or add replicas.',
  },
  proxy_disabled: {
    statuses: [503],
    when: 'The policy delivers images through the service (`delivery: proxy`), and `PROXY` is `off`.',
    action: 'The operator sets `PROXY` to `on`, or `delivery` to `redirect`.',
  },
  policy_unreadable: {
    statuses: [503],
    when: 'The stored policy of the issuer is not valid in this release.',
    action: 'The operator sets the policy again.',
  },
  upstream_timeout: {
    statuses: [504],
    when: 'The policy delivers images through the service, and Cloudinary did not deliver the image within 10 seconds.',
    action: 'Try again.',
  },
} as const satisfies Readonly<Record<string, ProblemDescription>>;

/** The stable, machine-readable name of a problem. */
export type ProblemCode = keyof typeof PROBLEMS;
