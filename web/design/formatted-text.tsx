import type { JSX } from 'preact';

/** Text from the service: parts between backticks are shown as code. */
export function FormattedText({ text }: { readonly text: string }): JSX.Element {
  const parts = text.split('`');
  // An unpaired one belongs to a value.
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
