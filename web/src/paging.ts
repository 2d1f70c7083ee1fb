// Lists that are read page by page, by cursors that only the API understands.

// Part is some entries of a list. next is the cursor of those that follow, empty at the
// end.
export interface Part<T> {
  items: T[];
  next: string;
}

// gather returns up to size entries from a cursor on. A page of the API may be short, even
// empty, while there is a next one, so it reads on, at most reads times.
export async function gather<T>(size: number, cursor: string, read: (cursor: string, limit: number) => Promise<Part<T>>, reads = 10): Promise<Part<T>> {
  const items: T[] = [];
  let next = cursor;
  for (let i = 0; i < reads; i++) {
    const part = await read(next, size - items.length);
    items.push(...part.items);
    next = part.next;
    if (!next || items.length >= size) break;
  }
  return { items, next };
}

// Trail remembers at which cursor each page of a list begins. The first page has number 1
// and an empty cursor.
export class Trail {
  #cursors = [''];

  // at returns the cursor of a page, undefined if no page before it was read.
  at(page: number): string | undefined {
    return this.#cursors[page - 1];
  }

  // leave notes the cursor that follows a page, and forgets those after it: they may
  // belong to an older state of the list.
  leave(page: number, next: string) {
    if (this.#cursors[page] === next || this.at(page) === undefined) return;
    this.#cursors.length = page;
    if (next) this.#cursors.push(next);
  }
}

const trails = new Map<string, Trail>();

// trail returns the trail of a list. The name says which list, with which filters.
export function trail(name: string): Trail {
  let t = trails.get(name);
  if (!t) trails.set(name, (t = new Trail()));
  return t;
}

// pageNumber returns the number of a page in an address: 1 if there is none.
export function pageNumber(text: string | null): number {
  return text && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 1;
}
