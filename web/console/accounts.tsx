import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Check } from '../design/field.js';
import { FormattedText } from '../design/formatted-text.js';
import {
  Choice,
  ConfirmButton,
  Facts,
  Id,
  Input,
  Pager,
  ProblemNote,
  Timestamp,
  TimestampForm,
} from './parts.js';
import {
  type Account,
  type AccountSecret,
  type AccountWithSecrets,
  adminPath,
  type Page,
  request,
} from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { hrefTo } from './use-route.js';
import { useMutation, usePaged, useQuery } from './use-service.js';

const SIGNATURES = [
  ['sha1', 'SHA-1, 8 characters'],
  ['sha256', 'SHA-256, 8 characters'],
  ['long', 'SHA-256, 32 characters'],
] as const;
const DEFAULT_UPLOAD_API = 'https://api.cloudinary.com';
const UPLOAD_APIS = [
  DEFAULT_UPLOAD_API,
  ...['eu', 'ap'].map((region) => `https://api-${region}.cloudinary.com`),
];
const ENVIRONMENT_ACCOUNT = 'that of CLOUDINARY_URL';
const EMPTY_ACCOUNT = {
  name: '',
  cloud_name: '',
  api_key: '',
  api_secret: '',
  host: '',
  upload_prefix: '',
  signature: 'sha1',
  auth_token_key: '',
  private_cdn: false,
};

/** All Cloudinary accounts, and a form for a new one. */
export function AccountsView(): JSX.Element {
  const { writeIssuers } = useRights();
  // A short page: each account of it loads its API keys.
  const list = usePaged<Account>(adminPath('accounts', { limit: '20' }));
  return (
    <div class="stack">
      <div class="section-head">
        <h1>Accounts</h1>
      </div>
      <p class="hint">
        <FormattedText text="Cloudinary accounts beside that of `CLOUDINARY_URL`." />
      </p>
      {writeIssuers && <CreateAccount onDone={list.reload} />}
      <ProblemNote problem={list.problem} />
      <ul class="rows" aria-label="Accounts" aria-busy={list.busy}>
        {list.value?.items.map((account) => (
          <li key={account.id} class="card stack-tight">
            <h2>
              <a href={hrefTo(`accounts/${account.id}`)}>{account.name}</a>{' '}
              {account.disabled && <span class="badge badge-bad">disabled</span>}
            </h2>
            <p class="code soft">{account.id}</p>
            <Facts
              facts={[
                ['Cloud name', account.cloud_name],
                ['Host', account.host ?? 'Cloudinary’s own'],
                ['API keys', <ApiKeys key="keys" accountId={account.id} />],
                ['Created', <Timestamp key="created" at={account.created_at} />],
              ]}
            />
            <TokenWarning account={account} />
          </li>
        ))}
      </ul>
      {list.value?.items.length === 0 && <p class="note">No accounts found.</p>}
      <Pager list={list} name="accounts" />
    </div>
  );
}

function ApiKeys({ accountId }: { readonly accountId: string }): JSX.Element {
  const { value, problem } = useQuery<AccountWithSecrets>(adminPath(`accounts/${accountId}`));
  if (value === null) return <span class="soft">{problem === null ? '…' : 'unavailable'}</span>;
  return <span>{value.secrets.map(({ api_key: key }) => key).join(', ')}</span>;
}

/** Shown if Cloudinary does not document that the account's URLs may have `__cld_token__`. */
function TokenWarning({ account }: { readonly account: Account }): JSX.Element | null {
  if (!account.has_auth_token_key || account.private_cdn || account.host !== null) return null;
  return (
    <p class="note note-warn">
      <FormattedText text="Cloudinary documents `__cld_token__` for private CDNs only. This account has an `auth_token_key`, and neither a private CDN nor a host of its own: test that its URLs open and expire." />
    </p>
  );
}

type AccountForm = typeof EMPTY_ACCOUNT;
type TextName = { [K in keyof AccountForm]: AccountForm[K] extends string ? K : never }[keyof AccountForm];

/** The members of an account as they are typed. */
interface Draft {
  readonly typed: AccountForm;
  readonly set: (members: Partial<AccountForm>) => void;
  /** The properties of a text's field. */
  readonly text: (name: TextName) => { readonly value: string; readonly onValue: (value: string) => void };
}

function useDraft(initial: AccountForm): Draft {
  const [typed, setTyped] = useState(initial);
  const set = (members: Partial<AccountForm>): void => {
    setTyped((before) => ({ ...before, ...members }));
  };
  return {
    typed,
    set,
    text: (name) => ({
      value: typed[name],
      onValue: (value) => {
        set({ [name]: value });
      },
    }),
  };
}

/** The members that are texts, trimmed. */
function textsOf(typed: AccountForm): Readonly<Record<TextName, string>> {
  const texts = Object.entries(typed).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value.trim()]] : [],
  );
  return Object.fromEntries(texts) as Readonly<Record<TextName, string>>;
}

interface SettingFieldsProps {
  readonly draft: Draft;
  /** The fields before those of all settings. */
  readonly children: ComponentChildren;
  readonly authTokenHelp: string;
}

/** The fields of a new account and of an existing one. */
function SettingFields({
  draft: { typed, set, text },
  children,
  authTokenHelp,
}: SettingFieldsProps): JSX.Element {
  return (
    <>
      <div class="columns">
        {children}
        <Input
          label="Host"
          help="Of its delivery URLs, for a CNAME or a custom host; empty: Cloudinary’s own."
          code
          {...text('host')}
        />
        <Input
          label="Upload API"
          help={`It differs between regions; empty: \`${DEFAULT_UPLOAD_API}\`.`}
          code
          suggestions={UPLOAD_APIS}
          {...text('upload_prefix')}
        />
        <Choice label="Signature of its URLs" options={SIGNATURES} {...text('signature')} />
        <Input
          label="Key of token-based authentication"
          help={authTokenHelp}
          type="password"
          {...text('auth_token_key')}
        />
      </div>
      <Check
        label="It has a private CDN: its URLs omit the cloud’s name."
        checked={typed.private_cdn}
        onChecked={(private_cdn) => {
          set({ private_cdn });
        }}
      />
    </>
  );
}

function CreateAccount({ onDone }: { readonly onDone: () => void }): JSX.Element {
  const draft = useDraft(EMPTY_ACCOUNT);
  const { typed, set, text } = draft;
  const announce = useAnnounce();
  const { busy, problem, run } = useMutation();
  return (
    <details class="card">
      <summary>Create an account</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const texts = Object.entries(textsOf(typed)).filter(([, value]) => value !== '');
          const body = { ...Object.fromEntries(texts), private_cdn: typed.private_cdn };
          void run(() => request('POST', adminPath('accounts'), { body })).then((result) => {
            if (result === null) return;
            set(EMPTY_ACCOUNT);
            announce('The account is created.');
            onDone();
          });
        }}
      >
        <SettingFields
          draft={draft}
          authTokenHelp="Its URLs then have an expiring `__cld_token__`. It is stored encrypted, and never shown."
        >
          <Input label="Name" required {...text('name')} />
          <Input label="Cloud name" help="It cannot be changed." code required {...text('cloud_name')} />
          <Input label="API key" code required {...text('api_key')} />
          <Input
            label="API secret"
            help="It is stored encrypted, and never shown."
            type="password"
            required
            {...text('api_secret')}
          />
        </SettingFields>
        <ProblemNote problem={problem} />
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Create
          </button>
        </div>
      </form>
    </details>
  );
}

/** One account: its state and its API keys. */
export function AccountView({ id }: { readonly id: string }): JSX.Element {
  const { value: account, problem, reload } = useQuery<AccountWithSecrets>(adminPath(`accounts/${id}`));
  const { writeIssuers } = useRights();
  return (
    <div class="stack">
      <p>
        <a href={hrefTo('accounts')}>All accounts</a>
      </p>
      <ProblemNote problem={problem} />
      {account !== null && (
        <>
          <h1>
            {account.name} {account.disabled && <span class="badge badge-bad">disabled</span>}
          </h1>
          <section class="card stack" aria-label="The account">
            <Id id={account.id} name="the account’s id" />
            <Facts
              facts={[
                ['Cloud name', account.cloud_name],
                ['Host', account.host ?? 'Cloudinary’s own'],
                ['Private CDN', account.private_cdn ? 'yes' : 'no'],
                ['Upload API', account.upload_prefix],
                ['Signature', account.signature],
                ['Token-based authentication', account.has_auth_token_key ? 'yes' : 'no'],
                ['Created', <Timestamp key="created" at={account.created_at} />],
              ]}
            />
            <TokenWarning account={account} />
            {writeIssuers && <Settings account={account} onChange={reload} />}
            {writeIssuers && <State account={account} onChange={reload} />}
          </section>
          <SecretsSection account={account} onChange={reload} />
        </>
      )}
    </div>
  );
}

interface AccountProps {
  readonly account: AccountWithSecrets;
  readonly onChange: () => void;
}

/** The form of an existing account. */
function formOf({ name, host, upload_prefix, signature, private_cdn }: Account): AccountForm {
  return { ...EMPTY_ACCOUNT, name, host: host ?? '', upload_prefix, signature, private_cdn };
}

/** The settings; sends only those that were changed, so that it reverts no change of others. */
function Settings({ account, onChange }: AccountProps): JSX.Element {
  const [saved, setSaved] = useState(formOf(account));
  const draft = useDraft(saved);
  const [keyRemoved, setKeyRemoved] = useState(false);
  const { busy, problem, run } = useMutation();
  const announce = useAnnounce();
  const { typed, set, text } = draft;
  const path = adminPath(`accounts/${account.id}`);
  return (
    <details>
      <summary>Change its settings</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const form = { ...typed, ...textsOf(typed) };
          const changed = Object.entries({
            ...form,
            upload_prefix: form.upload_prefix === '' ? DEFAULT_UPLOAD_API : form.upload_prefix,
          }).filter(([name, value]) => value !== saved[name as keyof AccountForm]);
          const body = {
            ...Object.fromEntries(changed.map(([name, value]) => [name, value === '' ? null : value])),
            ...(keyRemoved ? { auth_token_key: null } : {}),
          };
          void run(() => request<Account>('PATCH', path, { body })).then((result) => {
            if (result === null) return;
            setSaved(formOf(result.done));
            set(formOf(result.done));
            setKeyRemoved(false);
            announce('The settings are saved.');
            onChange();
          });
        }}
      >
        <SettingFields
          draft={draft}
          authTokenHelp={
            account.has_auth_token_key
              ? 'It replaces the present key; empty: that stays.'
              : 'Its URLs then have an expiring `__cld_token__`. It is stored encrypted, and never shown.'
          }
        >
          <Input label="Name" required {...text('name')} />
        </SettingFields>
        {account.has_auth_token_key && (
          <Check
            label="Remove its key of token-based authentication: its URLs then never expire."
            checked={keyRemoved}
            onChecked={setKeyRemoved}
          />
        )}
        <p class="hint">The settings take effect at once.</p>
        <ProblemNote problem={problem} />
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Save settings
          </button>
        </div>
      </form>
    </details>
  );
}

function State({ account, onChange }: AccountProps): JSX.Element {
  const { busy, problem, run } = useMutation();
  const announce = useAnnounce();
  const path = adminPath(`accounts/${account.id}`);
  return (
    <details>
      <summary>Disable it, or delete it</summary>
      <div class="stack-tight">
        <div class="row">
          <button
            type="button"
            class="button button-small"
            aria-disabled={busy}
            onClick={() => {
              const body = { disabled: !account.disabled };
              void run(() => request('PATCH', path, { body })).then((result) => {
                if (result === null) return;
                announce(account.disabled ? 'The account is enabled.' : 'The account is disabled.');
                onChange();
              });
            }}
          >
            {account.disabled ? 'Enable' : 'Disable'}
          </button>
          <ConfirmButton
            label="Delete"
            of={`the account ${account.name}`}
            question="Delete this account?"
            consequence="Its API keys are deleted, and its retained public ids are released. An account with issuers cannot be deleted."
            act={() => request('DELETE', path)}
            onDone={() => {
              announce('The account is deleted.');
              window.location.hash = hrefTo('accounts');
            }}
          />
        </div>
        <p class="hint">
          <FormattedText text="Redirects, uploads and notifications of a disabled account’s issuers get 503 `account_unavailable`." />
        </p>
        <ProblemNote problem={problem} />
      </div>
    </details>
  );
}

function SecretsSection({ account, onChange }: AccountProps): JSX.Element {
  const { writeIssuers } = useRights();
  return (
    <section class="card stack" aria-labelledby="secrets-title">
      <h2 id="secrets-title">API keys</h2>
      {writeIssuers && <AddSecret account={account} onChange={onChange} />}
      <ul class="rows" aria-label="API keys">
        {account.secrets.map((secret) => (
          <Secret key={secret.id} accountId={account.id} secret={secret} onChange={onChange} />
        ))}
      </ul>
    </section>
  );
}

interface SecretProps {
  readonly accountId: string;
  readonly secret: AccountSecret;
  readonly onChange: () => void;
}

function Secret({ accountId, secret, onChange }: SecretProps): JSX.Element {
  const { writeIssuers } = useRights();
  const { busy, problem, run } = useMutation();
  const announce = useAnnounce();
  const { api_key: key, signs, not_after: until } = secret;
  const path = adminPath(`accounts/${accountId}/secrets/${secret.id}`);
  const expired = until !== null && Date.parse(until) <= Date.now();
  // The service refuses to delete the secret that signs, or to let it expire.
  const changeable = writeIssuers && !signs;
  return (
    <li class="inner">
      <div class="section-head">
        <span>
          <span class="code wrap-anywhere">{key}</span> {signs && <span class="badge">signs</span>}
          {expired && <span class="badge">expired</span>}
        </span>
        {changeable && (
          <span class="row">
            <button
              type="button"
              class="button button-small"
              aria-disabled={busy}
              onClick={() => {
                void run(() => request('PATCH', path, { body: { signs: true } })).then((result) => {
                  if (result === null) return;
                  announce(`${key} signs.`);
                  onChange();
                });
              }}
            >
              Sign with it<span class="unseen"> {key}</span>
            </button>
            <ConfirmButton
              label="Delete"
              of={`API key ${key}`}
              question="Delete this API key?"
              consequence="Notifications that are signed with its secret are refused from now on."
              act={() => request('DELETE', path)}
              onDone={onChange}
            />
          </span>
        )}
      </div>
      <Facts
        facts={[
          ['Created', <Timestamp key="created" at={secret.created_at} />],
          ['Valid until', <Timestamp key="until" at={until} none="no expiry" />],
        ]}
      />
      <ProblemNote problem={problem} />
      {changeable && (
        <details>
          <summary>
            Change its expiry<span class="unseen"> of API key {key}</span>
          </summary>
          <TimestampForm
            key={until}
            label="Valid until"
            help="Notifications that are signed with its secret are refused afterwards."
            value={until}
            save={(at) => request('PATCH', path, { body: { not_after: at } })}
            onDone={() => {
              announce(`The expiry of ${key} is saved.`);
              onChange();
            }}
          />
        </details>
      )}
    </li>
  );
}

function AddSecret({ account, onChange }: AccountProps): JSX.Element {
  const [key, setKey] = useState('');
  const [secret, setSecret] = useState('');
  const [signs, setSigns] = useState(false);
  const announce = useAnnounce();
  const { busy, problem, run } = useMutation();
  const path = adminPath(`accounts/${account.id}/secrets`);
  return (
    <details>
      <summary>Add an API key with its secret</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const body = { api_key: key.trim(), api_secret: secret.trim(), signs };
          void run(() => request('POST', path, { body })).then((result) => {
            if (result === null) return;
            setKey('');
            setSecret('');
            setSigns(false);
            announce('The API key is added.');
            onChange();
          });
        }}
      >
        <div class="columns">
          <Input label="API key" code required value={key} onValue={setKey} />
          <Input
            label="API secret"
            help="It is stored encrypted, and never shown. Notifications that are signed with any of the secrets are accepted."
            type="password"
            required
            value={secret}
            onValue={setSecret}
          />
        </div>
        <Check
          label="It signs URLs and API calls, instead of the present one."
          checked={signs}
          onChecked={setSigns}
        />
        <ProblemNote problem={problem} />
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Add
          </button>
        </div>
      </form>
    </details>
  );
}

/** The account of an issuer, with a link for keys that may see it. @param id Null: that of `CLOUDINARY_URL`. */
export function AccountLink({ id }: { readonly id: string | null }): JSX.Element {
  const { issuerId } = useRights();
  if (id === null) return <span>{ENVIRONMENT_ACCOUNT}</span>;
  return issuerId === null ? <a href={hrefTo(`accounts/${id}`)}>{id}</a> : <span>{id}</span>;
}

interface AccountChoiceProps {
  /** Its id; empty for the account of `CLOUDINARY_URL`. */
  readonly value: string;
  readonly onValue: (value: string) => void;
}

/** Picks the account of an issuer: from a list, or by id if there are too many. */
export function AccountChoice({ value, onValue }: AccountChoiceProps): JSX.Element {
  const { value: page } = useQuery<Page<Account>>(adminPath('accounts', { limit: '100' }));
  const field = { label: 'Account', value, onValue };
  if (page?.next_cursor != null)
    return <Input {...field} code help="Its id; empty: the account of `CLOUDINARY_URL`." />;
  return (
    <Choice
      {...field}
      options={[['', ENVIRONMENT_ACCOUNT], ...(page?.items ?? []).map(({ id, name }) => [id, name] as const)]}
    />
  );
}
