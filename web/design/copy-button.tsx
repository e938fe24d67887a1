import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

interface CopyButtonProps {
  readonly text: string;
  readonly name: string;
}

/** Copies a text, and shows so for a while. */
export function CopyButton({ text, name }: CopyButtonProps): JSX.Element {
  const [said, say] = useState<string | null>(null);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      say('Copied');
    } catch {
      say('Not allowed');
    }
    setTimeout(() => {
      say(null);
    }, 2000);
  };
  return (
    <button type="button" class="button button-small" onClick={() => void copy()}>
      <span aria-live="polite">{said ?? 'Copy'}</span>
      <span class="unseen"> {name}</span>
    </button>
  );
}
