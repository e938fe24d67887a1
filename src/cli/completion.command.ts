import { Argument, type Command } from 'commander';
import { print } from './output.js';

/** What can follow the commands that are typed already. */
interface Level {
  /** Names of commands, each with a space before it; empty for the program. */
  readonly path: string;
  readonly words: readonly Word[];
  /** Values of options that have a fixed set. */
  readonly choices: readonly { readonly option: string; readonly values: readonly string[] }[];
}

interface Word {
  readonly text: string;
  readonly description: string;
  readonly takesValue: boolean;
}

type Shell = keyof typeof SCRIPTS;

const SCRIPTS = { bash: writeBash, zsh: writeZsh, fish: writeFish };

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes commands and options in a shell')
    .description('Prints a script with which a shell completes commands, options, and values of options.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(pixseal completion bash)                                  in ~/.bashrc
  $ source <(pixseal completion zsh)                                   in ~/.zshrc, after compinit
  $ pixseal completion fish > ~/.config/fish/completions/pixseal.fish`,
    )
    .action((shell: Shell) => {
      print(SCRIPTS[shell](levelsOf(program)).trimEnd());
    });
}

function levelsOf(command: Command, path = ''): Level[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter(({ long }) => long !== undefined);
  return [
    {
      path,
      words: [
        ...command.commands.map((child) => ({
          text: child.name(),
          description: child.summary() || child.description(),
          takesValue: false,
        })),
        ...options.map(({ long, description, required, optional }) => ({
          text: long ?? '',
          description,
          takesValue: required || optional,
        })),
      ],
      choices: [
        ...options.flatMap(({ long, argChoices }) =>
          long === undefined || argChoices === undefined ? [] : [{ option: long, values: argChoices }],
        ),
        // The first argument follows the command's own name.
        ...command.registeredArguments.flatMap(({ argChoices }) =>
          argChoices === undefined ? [] : [{ option: command.name(), values: argChoices }],
        ),
      ],
    },
    ...command.commands.flatMap((child) => levelsOf(child, `${path} ${child.name()}`)),
  ];
}

/** Patterns of the commands below the program, for `case`. */
const pathsOf = (levels: readonly Level[]): string =>
  levels.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`])).join('|');

const textsOf = ({ words }: Level): string => words.map(({ text }) => text).join(' ');

function writeBash(levels: readonly Level[]): string {
  const choices = levels.flatMap(({ path, choices: each }) =>
    each.map(({ option, values }) => `    '${path} ${option}') words='${values.join(' ')}' ;;`),
  );
  return `# Completes pixseal in bash. Words without a known completion are names of files.
_pixseal() {
  local at='' words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$at \${COMP_WORDS[index]}" in
      ${pathsOf(levels)}) at+=" \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$at" in
${levels.map((level) => `    '${level.path}') words='${textsOf(level)}' ;;`).join('\n')}
  esac
  [[ "\${COMP_WORDS[COMP_CWORD]}" == -* || "$at" == '' || "$words" != -* ]] || words=''
  case "$at \${COMP_WORDS[COMP_CWORD - 1]}" in
${choices.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _pixseal pixseal
`;
}

function writeZsh(levels: readonly Level[]): string {
  const choices = levels.flatMap(({ path, choices: each }) =>
    each.map(({ option, values }) => `    ('${path} ${option}') compadd -- ${values.join(' ')}; return ;;`),
  );
  const describe = ({ path, words }: Level): string => {
    const items = words.map(({ text, description }) => quote(`${text}:${firstLine(description)}`));
    return `    ('${path}') items=(${items.join(' ')}) ;;`;
  };
  return `#compdef pixseal
# Completes pixseal in zsh.
_pixseal() {
  local at='' index
  local -a items
  for ((index = 2; index < CURRENT; index++)); do
    case "$at \${words[index]}" in
      (${pathsOf(levels)}) at+=" \${words[index]}" ;;
    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${choices.join('\n')}
  esac
  case "$at" in
${levels.map(describe).join('\n')}
  esac
  if [[ "\${words[CURRENT]}" != -* && "\${items[1]}" == -* ]]; then _files; else _describe command items; fi
}
compdef _pixseal pixseal
`;
}

function writeFish(levels: readonly Level[]): string {
  const lines = levels.flatMap(({ path, words, choices }) => {
    const start = `complete -c pixseal -n '__pixseal_at "${path}"'`;
    const valuesOf = new Map(choices.map(({ option, values }) => [option, values.join(' ')]));
    const args = choices
      .filter(({ option }) => !option.startsWith('--'))
      .map(({ values }) => `${start} -f -a '${values.join(' ')}'`);
    return [
      ...args,
      ...words.map(({ text, description, takesValue }) => {
        const about = `-d ${quote(firstLine(description))}`;
        if (!text.startsWith('--')) return `${start} -f -a ${text} ${about}`;
        const values = valuesOf.get(text);
        const value = values === undefined ? (takesValue ? ' -r' : '') : ` -xa '${values}'`;
        return `${start} -l ${text.slice(2)}${value} ${about}`;
      }),
    ];
  });
  return `# Completes pixseal in fish.
function __pixseal_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${levels.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`])).join(' ')}
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** A word of a shell, without backslashes before quotation marks: zsh and fish read them differently. */
const quote = (text: string): string => `'${text.replaceAll("'", '’').replaceAll('\\', '')}'`;

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
