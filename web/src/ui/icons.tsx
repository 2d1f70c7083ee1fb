// Icons of 16 by 16 pixels, drawn with lines of the text's colour. They are decoration:
// the text beside one, or its button's label, says what it means.
import type { SVGAttributes } from 'preact';

const shapes = {
  overview: 'M2 9l6-6 6 6M4 8v6h8V8',
  mailings: 'M2 4h12v9H2zM2 5l6 5 6-5',
  clients: 'M6 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 14c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M11 3.5a2.5 2.5 0 0 1 0 4.5M12 10.3c1.6.5 2.5 1.7 2.5 3.7',
  queues: 'M2 4h12M2 8h12M2 12h8',
  help: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM6 6.3C6 5 7 4.5 8 4.5s2 .6 2 1.7C10 7.5 8 7.6 8 9M8 11.3v.2',
  plus: 'M8 3v10M3 8h10',
  pause: 'M5.5 3v10M10.5 3v10',
  resume: 'M4.5 3l8 5-8 5z',
  cancel: 'M4 4l8 8M12 4l-8 8',
  retry: 'M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3',
  copy: 'M5.5 5.5V2.5h8v8h-3M2.5 5.5h8v8h-8z',
  edit: 'M10.5 3l2.5 2.5L6 12.5l-3 .5.5-3z',
  trash: 'M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 9h6l.5-9',
  download: 'M8 2.5v8M4.5 7.5L8 11l3.5-3.5M2.5 13.5h11',
  upload: 'M8 11V3M4.5 6.5L8 3l3.5 3.5M2.5 13.5h11',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14',
  more: 'M3 8a.4.4 0 1 0 .01 0M8 8a.4.4 0 1 0 .01 0M13 8a.4.4 0 1 0 .01 0',
  check: 'M3 8.5l3.5 3.5L13 4.5',
  warning: 'M8 2L15 14H1zM8 6.5v3.5M8 12v.2',
  info: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 7.5v4M8 5v.2',
  clock: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 4.5V8l2.5 2',
  left: 'M10 3L5 8l5 5',
  right: 'M6 3l5 5-5 5',
  down: 'M3 6l5 5 5-5',
  menu: 'M2 4h12M2 8h12M2 12h12',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  globe: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM1.5 8h13M8 1.5c2 2 2.5 4 2.5 6.5s-.5 4.5-2.5 6.5c-2-2-2.5-4-2.5-6.5S6 3.5 8 1.5z',
  signout: 'M6 2.5H2.5v11H6M7 8h7M11 5l3 3-3 3',
  dot: 'M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  send: 'M14 2L2 7l4.5 2L14 2zM14 2L9 14l-2.5-5',
  question: 'M5.5 5.5C5.5 4 6.5 3 8 3s2.5 1 2.5 2.3C10.5 7.3 8 7.3 8 9.5M8 12.5v.2',
  minus: 'M3 8h10',
  lock: 'M4 7h8v6.5H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2',
  skip: 'M3 3.5l6 4.5-6 4.5zM12 3.5v9',
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name, ...more }: { name: IconName } & SVGAttributes<SVGSVGElement>) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {...more}>
      <path d={shapes[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
