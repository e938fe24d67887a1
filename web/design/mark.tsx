import type { JSX } from 'preact';

/** Pixseal's logo. */
export function Mark(): JSX.Element {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark" width="32" height="32" rx="8" />
      <path
        class="mark-line"
        d="M9 24V8h8.5a5.5 5.5 0 0 1 0 11H13"
        fill="none"
        stroke-width="3"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
