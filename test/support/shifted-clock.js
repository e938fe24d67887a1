// Preloaded into a process (`node --import`): its wall clock is off by as many milliseconds as the file of the
// variable SHIFT_FILE says, read anew at each SIGUSR2. Monotonic clocks and timers go on as they were, as when an
// operator or NTP sets a machine's clock.
import { readFileSync } from 'node:fs';

const RealDate = Date;
let shift = 0;

class ShiftedDate extends RealDate {
  /** @param {[]} given */
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shift);
    else super(...given);
  }

  static now() {
    return RealDate.now() + shift;
  }
}

globalThis.Date = /** @type {DateConstructor} */ (ShiftedDate);
process.on('SIGUSR2', () => {
  shift = Number(readFileSync(process.env.SHIFT_FILE ?? '', 'utf8'));
});
