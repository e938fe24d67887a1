// Preloaded into a process (`node --import`): shifts its wall clock by the number of milliseconds in the file of the
// variable SHIFT_FILE, which is read again at each SIGWINCH. Monotonic clocks and timers are not affected, as when an
// operator or NTP sets the clock of a machine.
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
