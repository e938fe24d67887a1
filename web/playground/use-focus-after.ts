import { useLayoutEffect, useRef } from 'preact/hooks';

/**
 * Keeps the focus in place when elements appear, disappear or move.
 * @param change Changes with them.
 * @returns Takes the id of the element to focus after the next change.
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
