// The tags and operator codes that clients have, for fields that offer them.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, call, type Schemas } from './client.ts';

type Facets = Schemas['Facets'];

// facets is what was read last; it is shared by all fields.
export const facets = signal<Facets>({ tags: [], operator_codes: [], more_tags: false });

// loadFacets reads the facets again. Fields work without them, so a failure is silent.
export async function loadFacets() {
  try {
    facets.value = (await call(api.GET('/api/clients/facets'))).data;
  } catch {
    // What was known stays.
  }
}

const wait = 200; // milliseconds after the last key

// useFacets reads the facets, and those tags that begin with typed, if there are more tags
// than one answer has.
export function useFacets(typed = '') {
  useEffect(() => void loadFacets(), []);
  const prefix = typed.trim();
  const more = facets.value.more_tags;
  useEffect(() => {
    if (!more || !prefix) return;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const found = (await call(api.GET('/api/clients/facets', { params: { query: { prefix } }, signal: stop.signal }))).data;
        const tags = [...new Set([...facets.peek().tags, ...found.tags])].sort();
        facets.value = { ...facets.peek(), tags };
      } catch {
        // The tag can still be typed.
      }
    }, wait);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [prefix, more]);
  return facets.value;
}
