import { useEffect, useState } from 'preact/hooks';
import { type ServiceResponse, request, type Page, type Problem } from './service.js';

/** Loaded data; the previous data stays until the new one arrives. */
export interface Loaded<T> {
  readonly value: T | null;
  readonly problem: Problem | null;
  readonly busy: boolean;
  readonly reload: () => void;
}

/** Loads a path of the admin API. */
export function useQuery<T>(path: string): Loaded<T> {
  const [version, setTurn] = useState(0);
  const [{ value, problem, of }, show] = useState<{
    value: T | null;
    problem: Problem | null;
    of: string | null;
  }>({ value: null, problem: null, of: null });
  const requested = `${version} ${path}`;
  useEffect(() => {
    const abort = new AbortController();
    request<T>('GET', path, { signal: abort.signal }).then(
      (response) => {
        if (abort.signal.aborted) return;
        show(
          'ok' in response
            ? { value: response.ok, problem: null, of: requested }
            : { value: null, problem: response.problem, of: requested },
        );
      },
      () => undefined,
    );
    return () => {
      abort.abort();
    };
  }, [requested]);
  return {
    value,
    problem,
    busy: of !== requested,
    reload: () => {
      setTurn((before) => before + 1);
    },
  };
}

/** One page of a list, and its navigation: the document contains at most one page. */
export interface Paged<T> extends Loaded<Page<T>> {
  /** From 1. */
  readonly number: number;
  readonly previous: (() => void) | null;
  readonly next: (() => void) | null;
}

/** @param path Of the list, with its filters; a new one starts at its first page. */
export function usePaged<T>(path: string): Paged<T> {
  const [{ of, cursors }, setPlace] = useState<{ of: string; cursors: readonly string[] }>({
    of: path,
    cursors: [],
  });
  const behind = of === path ? cursors : [];
  const cursor = behind.at(-1);
  const loaded = useQuery<Page<T>>(cursor === undefined ? path : `${path}&cursor=${cursor}`);
  const following = loaded.busy ? null : (loaded.value?.next_cursor ?? null);
  return {
    ...loaded,
    number: behind.length + 1,
    previous:
      behind.length === 0
        ? null
        : () => {
            setPlace({ of: path, cursors: behind.slice(0, -1) });
          },
    next:
      following === null
        ? null
        : () => {
            setPlace({ of: path, cursors: [...behind, following] });
          },
  };
}

/** An action of the user, and the service's response. */
export interface Mutation {
  readonly busy: boolean;
  readonly problem: Problem | null;
  /** @returns its result, or null if it was refused or the previous one is still running. */
  readonly run: <T>(work: () => Promise<ServiceResponse<T>>) => Promise<{ readonly done: T } | null>;
  readonly refuse: (problem: Problem) => void;
}

export function useMutation(): Mutation {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  return {
    busy,
    problem,
    refuse: setProblem,
    run: async (work) => {
      // The button stays enabled: a disabled one would lose the focus.
      if (busy) return null;
      setBusy(true);
      setProblem(null);
      const response = await work();
      setBusy(false);
      if ('ok' in response) return { done: response.ok };
      setProblem(response.problem);
      return null;
    },
  };
}
