// How people move through long tables.
import { useEffect, useRef } from 'preact/hooks';
import type { RefObject } from 'preact';

// arrows moves the focus between the links of rows (data-row) by the arrow keys.
export function arrows(e: KeyboardEvent) {
  if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
  const here = (e.target as HTMLElement).closest('[data-row]');
  if (!here) return;
  const all = [...(here.closest('table')?.querySelectorAll<HTMLElement>('[data-row]') ?? [])];
  const next = all[all.indexOf(here as HTMLElement) + (e.key === 'ArrowDown' ? 1 : -1)];
  if (!next) return;
  e.preventDefault();
  next.focus();
}

// useTop scrolls to the top of a list after its page has changed, if that is out of sight.
export function useTop(top: RefObject<HTMLElement | null>, page: number) {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current && top.current && top.current.getBoundingClientRect().top < 0) top.current.scrollIntoView();
    first.current = false;
  }, [page]);
}
