import { ruleOf, type Setting, SETTINGS } from '../../src/platform/config/settings.js';

/** Variables that only docker-compose.yml reads. */
const COMPOSE_VARIABLES = [
  {
    name: 'POSTGRES_PASSWORD',
    value: '',
    help: 'The password of its Postgres: letters and digits, since it is part of a URL.\nGenerate one with `openssl rand -hex 24`.',
  },
  {
    name: 'ADMIN_NETWORKS',
    value: '127.0.0.1/32',
    help: 'Networks, separated by spaces, from which its proxy accepts requests to `/admin`.',
  },
] as const;

const all: readonly (readonly [name: string, setting: Setting])[] = Object.entries(SETTINGS);
const groups = [...new Set(all.map(([, { group }]) => group))].map(
  (group) => [group, all.filter(([, setting]) => setting.group === group)] as const,
);
const code = (value: string | number): string => `\`${value}\``;

function describeDefault(setting: Setting): string[] {
  const fallback = 'default' in setting ? setting.default : undefined;
  if (fallback === undefined) return [];
  if (typeof fallback !== 'object') return [`Default: ${code(fallback)}.`];
  return [`Default: ${code(fallback.is)} with ${code(fallback.with)}, else ${code(fallback.otherwise)}.`];
}

/** The rule of a setting, and the effect of omitting it. */
function describeUse(setting: Setting): string[] {
  const rule = ruleOf(setting);
  return [
    ...(rule === null ? [] : [`Must ${rule}.`]),
    ...(setting.required === undefined ? [] : ['Required with `DATABASE_URL`.']),
    ...(setting.unset === undefined ? [] : [`Without it, ${setting.unset}.`]),
  ];
}

function describeSetting([name, setting]: (typeof all)[number]): string {
  const facts = [
    ...describeUse(setting),
    ...describeDefault(setting),
    ...(setting.image === undefined ? [] : [`The container image sets ${code(setting.image)}.`]),
    ...(setting.secret === true ? ['Secret.'] : []),
  ];
  return `### ${name}\n\n${setting.help}\n\n${facts.map((fact) => `- ${fact}`).join('\n')}`;
}

/** Writes docs/settings.md from the table of settings. */
export function writeSettings(): string {
  const sections = groups.map(([group, settings]) =>
    [`## ${group}`, ...settings.map(describeSetting)].join('\n\n'),
  );
  const compose = COMPOSE_VARIABLES.map(
    ({ name, value, help }) =>
      `### ${name}\n\n${help}\n\n- ${value === '' ? 'Required.\n- Secret.' : `Default: ${code(value)}.`}`,
  );
  return `<!-- Generated from src/platform/config/settings.ts by \`npm run docs:build\`: do not edit. -->

# Settings

The service reads every setting from its environment.
An empty variable is the same as one that is not set.
All invalid settings are reported at once, by name and without their values.
Without \`DATABASE_URL\` the service runs in embedded mode, in which no setting is required.
[.env.example](../.env.example) has all settings as a file.

${sections.join('\n\n')}

## docker-compose.yml only

${compose.join('\n\n')}
`;
}

/** Lines of Markdown as comments. */
const commented = (markdown: string): string =>
  markdown
    .replaceAll(/\[[^\]]*\]\(([^)#]*)[^)]*\)/g, 'docs/$1')
    .replaceAll('`', '')
    .replaceAll(/^/gm, '# ');

/** The value for the reader: that of a service with a database. */
function exampleOf(setting: Setting): string | number {
  if (setting.example !== undefined) return setting.example;
  const fallback = 'default' in setting ? setting.default : undefined;
  return (typeof fallback === 'object' ? fallback.is : fallback) ?? '';
}

/** Writes `.env.example` from the table of settings. */
export function writeEnvExample(): string {
  const sections = groups.map(([group, settings]) =>
    [
      `# --- ${group} ---`,
      ...settings.flatMap(([name, setting]) => [
        ...[setting.help, ...describeUse(setting)].map(commented),
        `# ${name}=${exampleOf(setting)}`,
        '',
      ]),
    ].join('\n'),
  );
  const compose = COMPOSE_VARIABLES.map(
    ({ name, value, help }) => `${commented(help)}\n# ${name}=${value}\n`,
  );
  return `# Generated from src/platform/config/settings.ts by "npm run docs:build". docs/settings.md has the same text.
#
# Copy this file to .env and set what you need. The service reads its environment and no file:
# docker compose reads .env, and without containers use
#   set -a; . ./.env; set +a; npm start

${sections.join('\n')}
# --- docker-compose.yml only ---
${compose.join('\n')}`;
}
