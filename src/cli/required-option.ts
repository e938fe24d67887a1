import { Option, type Command } from 'commander';

/** An option that must be set. Commander checks its own `requiredOption` before it names an unknown option. */
export class RequiredOption extends Option {}

/** @throws CommanderError naming the first required option that is not set. */
export function requireOptions(command: Command): void {
  for (const option of command.options) {
    if (option instanceof RequiredOption && command.getOptionValue(option.attributeName()) === undefined) {
      command.error(`error: required option '${option.flags}' not specified`, {
        code: 'commander.missingMandatoryOptionValue',
      });
    }
  }
}
