// The address of a page is in the fragment: #/mailings/3?status=failed. So the pages
// work at any path, also behind the name of a stage, and the server sees one page only.
import { signal } from '@preact/signals';

export interface Place {
  // path has the parts between slashes: ["mailings", "3"].
  path: string[];
  query: URLSearchParams;
}

export function parse(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return {
    path: path.split('/').filter(Boolean).map(decoded),
    query: new URLSearchParams(query),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// link returns the fragment of a page. Empty values are left out.
export function link(path: string, query: Record<string, string | number | undefined> = {}): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') q.set(name, String(value));
  }
  const text = q.toString();
  return `#/${path}${text ? `?${text}` : ''}`;
}

export const place = signal<Place>(parse(location.hash));

addEventListener('hashchange', () => {
  place.value = parse(location.hash);
});

export function go(to: string) {
  location.hash = to;
}

// replace changes the address of the page without a step in the browser's history:
// for filters.
export function replace(to: string) {
  history.replaceState(null, '', to);
  place.value = parse(to);
}
