import { useEffect, useState } from 'preact/hooks';

/** The page's route: the part of the address after `#`, such as `#/images?issuer_id=…`. */
export interface Route {
  readonly section: string;
  readonly id: string | null;
  readonly query: Readonly<Record<string, string>>;
}

function readRoute(): Route {
  const [path = '', search = ''] = window.location.hash.slice(1).split('?', 2);
  const [, section = '', id = null] = path.split('/');
  return { section, id, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** An address of this page. */
export function hrefTo(path: string, query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString();
  return `#/${path}${search === '' ? '' : `?${search}`}`;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const follow = (): void => {
      setRoute(readRoute());
    };
    window.addEventListener('hashchange', follow);
    return () => {
      window.removeEventListener('hashchange', follow);
    };
  }, []);
  return route;
}
