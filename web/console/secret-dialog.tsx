import type { JSX } from 'preact';
import { CopyButton } from '../design/copy-button.js';
import { Dialog } from './parts.js';
import type { NewKey } from './service.js';

interface SecretDialogProps {
  readonly created: NewKey;
  readonly onClose: () => void;
}

/** A new key's secret, shown once: only its button closes the dialog. */
export function SecretDialog({ created, onClose }: SecretDialogProps): JSX.Element {
  return (
    <Dialog title="The new secret" light={false} onClose={onClose}>
      <p>Copy it now: it is not shown again. Use the string’s bytes as the key.</p>
      {(
        [
          ['Secret', created.secret],
          ['dsn', created.dsn],
        ] as const
      ).map(([name, text]) => (
        <section key={name} class="stack-tight" aria-label={name}>
          <div class="section-head">
            <h3>{name}</h3>
            <CopyButton text={text} name={name} />
          </div>
          <p class="block wrap">{text}</p>
        </section>
      ))}
      <div class="row end">
        <button type="button" class="button button-primary" onClick={onClose}>
          I have copied it
        </button>
      </div>
    </Dialog>
  );
}
