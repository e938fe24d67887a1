import { ApiProperty } from '@nestjs/swagger';
import type { Usage, UsageHour } from './usage.service.js';

class UsageHourView {
  @ApiProperty({ description: 'Its start.' }) readonly hour: Date;
  @ApiProperty({ type: 'integer', description: 'Redirects, those of `/deliveries` included.' })
  readonly redirects: number;
  @ApiProperty({
    type: 'integer',
    description: 'Requests that were refused: their token names the issuer, or their image is its own.',
  })
  readonly refusals: number;

  constructor({ hour, redirects, refusals }: UsageHour) {
    this.hour = hour;
    this.redirects = redirects;
    this.refusals = refusals;
  }
}

/** The usage of one issuer, or of all. */
export class UsageView {
  @ApiProperty({ description: 'The start of the first hour.' }) readonly from: Date;
  @ApiProperty({ description: 'The end of the last hour.' }) readonly to: Date;
  @ApiProperty({ type: [UsageHourView], description: 'Every hour, oldest first; 0 for hours without one.' })
  readonly hours: readonly UsageHourView[];

  constructor({ from, to, hours }: Usage) {
    this.from = from;
    this.to = to;
    this.hours = hours.map((hour) => new UsageHourView(hour));
  }
}
