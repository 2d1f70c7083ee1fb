// Data that is read again and again while a page shows it.
import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Answer } from './client.ts';

// Pauses between two reads, in milliseconds.
const busyPause = 2_000;
const idlePause = 15_000;
const longestPause = 60_000;

export interface Live<T> {
  // data is what was read last. It stays when later reads fail.
  data: Signal<T | undefined>;
  error: Signal<unknown>;
  // reload reads at once. A read that has begun is given up: its answer would be older
  // than what the person has just done.
  reload: () => void;
}

// useLive reads now, then every two seconds while busy(data) is true, and every fifteen
// otherwise. It does not read in a hidden tab. After failures the pauses double up to a
// minute. After a change of deps it starts again without data. once is for costly reads:
// they are repeated only after failures, and by reload.
export function useLive<T>(read: (signal: AbortSignal) => Promise<Answer<T>>, busy: (data: T) => boolean, deps: unknown[], { once: single = false } = {}): Live<T> {
  const live = useMemo(() => ({ data: signal<T | undefined>(undefined), error: signal<unknown>(undefined), reload: () => {} }), deps);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    let reading: AbortController | undefined;
    const schedule = (pause: number) => {
      clearTimeout(timer);
      if (!stop.signal.aborted && !document.hidden) timer = setTimeout(once, pause);
    };
    const once = async () => {
      if (stop.signal.aborted) return;
      reading?.abort();
      const mine = (reading = new AbortController());
      try {
        const answer = await read(mine.signal);
        if (mine.signal.aborted) return;
        // An answer without data means that nothing has changed.
        if (answer.data !== undefined) live.data.value = answer.data;
        live.error.value = undefined;
        failures = 0;
      } catch (e) {
        if (mine.signal.aborted) return;
        live.error.value = e;
        failures++;
      }
      reading = undefined;
      const data = live.data.peek();
      const pause = data !== undefined && busy(data) ? busyPause : idlePause;
      if (single && failures === 0) return;
      schedule(failures === 0 ? pause : Math.min(longestPause, busyPause * 2 ** (failures - 1)));
    };
    live.reload = () => {
      clearTimeout(timer);
      void once();
    };
    const visible = () => {
      if (document.hidden) clearTimeout(timer);
      else if (!single || live.data.peek() === undefined || live.error.peek() !== undefined) live.reload();
    };
    document.addEventListener('visibilitychange', visible);
    if (!document.hidden) void once();
    return () => {
      stop.abort();
      reading?.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', visible);
    };
  }, deps);
  return live;
}

// useKept returns a value, or the last one while there is none: old rows stay on the page
// until the new ones are there. old reports whether that is so.
export function useKept<T>(value: T | undefined): { value: T | undefined; old: boolean } {
  const last = useRef<T | undefined>(undefined);
  if (value !== undefined) last.current = value;
  return { value: last.current, old: value === undefined && last.current !== undefined };
}
