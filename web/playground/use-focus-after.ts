import { useLayoutEffect, useRef } from 'preact/hooks';

/**
 * Keeps the focus where a person works when elements come, go or move.
 * @param change What changes with them.
 * @returns Takes the id of what gets the focus after the next change.
 */
export function useFocusAfter(change: unknown): (id: string) => void {
  const next = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (next.current !== null) document.getElementById(next.current)?.focus();
    next.current = null;
  }, [change]);
  return (id) => {
    next.current = id;
  };
}
