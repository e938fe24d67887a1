import type { JSX } from 'preact';

/** A text of the service: what it has between backticks is shown as code. */
export function FormattedText({ text }: { readonly text: string }): JSX.Element {
  const parts = text.split('`');
  // An odd one is part of somebody's value.
  if (parts.length % 2 === 0) return <>{text}</>;
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 0 ? (
          part
        ) : (
          <span key={index} class="code">
            {part}
          </span>
        ),
      )}
    </>
  );
}
