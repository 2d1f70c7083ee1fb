// Progress is a bar that fills. part is between 0 and 1, undefined where the end is not
// known.
import { share } from '../format.ts';

export function Progress({ part, label }: { part: number | undefined; label: string }) {
  const known = part !== undefined;
  return (
    <div class={`progress${known ? '' : ' open'}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} {...(known ? { 'aria-valuenow': Math.floor(part * 100), 'aria-valuetext': share(part) } : {})}>
      <span style={known ? { width: `${Math.min(1, part) * 100}%` } : {}} />
    </div>
  );
}
