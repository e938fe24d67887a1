import { createHash } from 'node:crypto';
import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Result } from 'ioredis';
import { RedisLink } from '../../platform/redis/redis-link.js';
import { CounterUnavailableError } from './counter.errors.js';
import { Counters, KNOWN_DAYS, type PaidPicture, type Picture, type TokenUse } from './counters.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Runs `PAY`: 2 if the picture is new, 1 if it is known, 0 if the budget is spent. */
    payPicture(picture: string, day: string, budget: number, knownFor: number): Result<number, Context>;
    /** Runs `USE`: 1 if the use is counted, else 0. */
    countUse(token: string, maxUses: number, expiry: number): Result<number, Context>;
  }
}

/** The part in braces keeps all keys on one server: see `RedisRateLimitStorage`. */
const PREFIX = '{pixseal}:';
/** Seconds. */
const KNOWN_FOR = KNOWN_DAYS * 86_400;
/** Milliseconds that a token's count outlives the token: clocks of replicas may differ. */
const MARGIN = 3_600_000;

/** A value that is not a number counts as 0 and is overwritten. */
const COUNT_OF = `
local function count_of(key)
  return tonumber(redis.call('GET', key) or '') or 0
end
`;

/** Of a day the count is kept for two: a replica's clock may be behind. */
const PAY = `${COUNT_OF}
local result = 1
if redis.call('EXISTS', KEYS[1]) == 0 then
  local paid = count_of(KEYS[2])
  if paid >= tonumber(ARGV[1]) then return 0 end
  redis.call('SET', KEYS[2], paid + 1, 'EX', 172800)
  result = 2
end
redis.call('SET', KEYS[1], '', 'EX', ARGV[2])
return result
`;

/** The expiry of a token with the same `jti` may be later. */
const USE = `${COUNT_OF}
local used = count_of(KEYS[1])
if used >= tonumber(ARGV[1]) then return 0 end
local expiry = math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[1]))
redis.call('SET', KEYS[1], used + 1, 'PX', string.format('%.0f', expiry))
return 1
`;

/** Counts in Redis. A count is as durable as Redis: it needs persistence, and no eviction of keys. */
export class RedisCounters extends Counters implements OnApplicationShutdown {
  private readonly link: RedisLink;

  constructor(url: string) {
    super();
    this.link = new RedisLink(
      url,
      { payPicture: { lua: PAY, numberOfKeys: 2 }, countUse: { lua: USE, numberOfKeys: 1 } },
      {
        logger: new Logger(RedisCounters.name),
        whileDisconnected: 'new pictures of issuers with a budget, and tokens with max_uses, are refused',
        onceConnected: 'new pictures and uses of tokens are counted',
      },
    );
  }

  override async payPicture({ issuerId, digest, budget }: Picture, day: number): Promise<PaidPicture | null> {
    const result = await this.run((redis) =>
      redis.payPicture(
        `${PREFIX}picture:${issuerId}:${digest}`,
        `${PREFIX}pictures:${issuerId}:${day}`,
        budget,
        KNOWN_FOR,
      ),
    );
    return result === 0 ? null : result === 1 ? 'known' : 'new';
  }

  override async countUse({ issuerId, jwtId, maxUses, expiresAt }: TokenUse): Promise<boolean> {
    const token = createHash('sha256').update(jwtId).digest('base64url');
    const expiry = Math.max(0, Math.ceil(expiresAt - Date.now())) + MARGIN;
    const key = `${PREFIX}uses:${issuerId}:${token}`;
    return (await this.run((redis) => redis.countUse(key, maxUses, expiry))) === 1;
  }

  private async run(command: (redis: RedisLink['redis']) => Promise<number>): Promise<number> {
    if (!this.link.isReady) throw new CounterUnavailableError();
    try {
      const result = await command(this.link.redis);
      this.link.responded();
      return result;
    } catch (error) {
      this.link.failed(error);
      throw new CounterUnavailableError();
    }
  }

  onApplicationShutdown(): void {
    this.link.close();
  }
}
