// Combo is a text field that offers values: arrows move in the offer, Enter takes the
// marked value, Escape closes it. Any other text can be typed, too. The offer is in the
// browser's top layer, so that no dialog or panel cuts it off.
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n/index.ts';
import { IconButton } from './basic.tsx';

export interface Offer {
  value: string;
  // detail is shown beside the value.
  detail?: string;
}

const most = 600; // offers that are shown at once

export function Combo({ label, value, offered, change, take, placeholder, clear = false, ids = {}, inputMode }: {
  // label names the field where no visible label does.
  label: string;
  value: string;
  offered: readonly Offer[];
  // change is called with each key.
  change: (value: string) => void;
  // take is called when a value was chosen or typed to its end.
  take?: (value: string) => void;
  placeholder?: string;
  // clear shows a button that empties the field.
  clear?: boolean;
  ids?: { id?: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean };
  inputMode?: 'numeric';
}) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState(false); // since the offer was opened
  const [at, setAt] = useState(-1);
  const root = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const wanted = value.trim().toLowerCase();
  const shown = (typed && wanted ? matching(offered, wanted) : offered).slice(0, most);
  const visible = open && shown.length > 0;
  const active = Math.min(at, shown.length - 1);
  useLayoutEffect(() => {
    if (!visible) return;
    list.current!.showPopover();
    place(list.current!, root.current!);
  }, [visible, shown.length]);
  useLayoutEffect(() => {
    if (!visible) return;
    const away = (e: Event) => {
      if (!(e.target instanceof Node) || !list.current?.contains(e.target)) setOpen(false);
    };
    addEventListener('scroll', away, true);
    addEventListener('resize', away);
    return () => {
      removeEventListener('scroll', away, true);
      removeEventListener('resize', away);
    };
  }, [visible]);
  useLayoutEffect(() => list.current?.children[active]?.scrollIntoView({ block: 'nearest' }), [active]);
  const show = () => {
    setOpen(true);
    setTyped(false);
    setAt(offered.findIndex((o) => o.value === value));
  };
  const choose = (v: string) => {
    change(v);
    setOpen(false);
    take?.(v);
  };
  const onKey = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
    if (step && !visible) show();
    else if (step) setAt((active + step + shown.length) % shown.length);
    else if (e.key === 'Enter' && visible && active >= 0) choose(shown[active]!.value);
    else if (e.key === 'Enter' && take) choose(value.trim());
    else if (e.key === 'Escape' && visible) setOpen(false);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <div class={`combo${clear && value ? ' clearable' : ''}`} ref={root}>
      <input
        {...ids}
        ref={input}
        value={value}
        placeholder={placeholder}
        role="combobox"
        {...(ids.id ? {} : { 'aria-label': label })}
        aria-autocomplete="list"
        aria-expanded={visible}
        aria-controls={visible ? id : undefined}
        aria-activedescendant={visible && active >= 0 ? `${id}-${active}` : undefined}
        autocomplete="off"
        spellcheck={false}
        inputMode={inputMode}
        onInput={(e) => { change(e.currentTarget.value); setOpen(true); setTyped(true); setAt(-1); }}
        onFocus={() => input.current?.select()}
        onClick={show}
        onBlur={() => { setOpen(false); take?.(value.trim()); }}
        onKeyDown={onKey}
      />
      {clear && value && <IconButton label={t('combo.clear', { name: label })} icon="cancel" onMouseDown={(e) => e.preventDefault()} onClick={() => { choose(''); input.current?.focus(); }} />}
      {visible && (
        <ul id={id} ref={list} popover="manual" role="listbox" aria-label={label} class="offers">
          {shown.map((o, i) => (
            <li key={o.value} id={`${id}-${i}`} role="option" aria-selected={i === active} onMouseDown={(e) => { e.preventDefault(); choose(o.value); }}>
              <span>{o.value}</span>
              {o.detail && <small>{o.detail}</small>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

// matching returns the offers that contain the text, those that begin with it first.
function matching(offered: readonly Offer[], wanted: string): Offer[] {
  const found = offered.map((o) => ({ o, at: `${o.value} ${o.detail ?? ''}`.toLowerCase().indexOf(wanted) })).filter(({ at }) => at >= 0);
  return [...found.filter(({ at }) => at === 0), ...found.filter(({ at }) => at > 0)].map(({ o }) => o);
}

const gap = 4; // pixels

// place moves the offer below its field, or above it where there is more room.
function place(list: HTMLElement, field: HTMLElement) {
  const f = field.getBoundingClientRect();
  const room = { below: innerHeight - f.bottom - 2 * gap, above: f.top - 2 * gap };
  list.style.maxHeight = `${Math.min(280, Math.max(room.below, room.above))}px`;
  list.style.width = `${f.width}px`;
  const height = list.offsetHeight;
  const up = height > room.below && room.above > room.below;
  list.style.top = `${up ? f.top - gap - height : f.bottom + gap}px`;
  list.style.left = `${f.left}px`;
}
