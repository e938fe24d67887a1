// Preloaded into a process (`node --import`): its wall clock is off by as many milliseconds as the file of the
// variable SHIFT_FILE says, read anew at each SIGWINCH. Monotonic clocks and timers go on as they were, as when an
// operator or NTP sets a machine's clock.
import { readFileSync } from 'node:fs';

const RealDate = Date;
let shift = 0;

class ShiftedDate extends RealDate {
  /** @param {unknown[]} given */
  constructor(...given) {
    super(.../** @type {[number]} */ (given.length === 0 ? [RealDate.now() + shift] : given));
  }

  static now() {
    return RealDate.now() + shift;
  }
}

globalThis.Date = /** @type {DateConstructor} */ (ShiftedDate);
process.on('SIGWINCH', () => {
  shift = Number(readFileSync(process.env.SHIFT_FILE ?? '', 'utf8'));
});
