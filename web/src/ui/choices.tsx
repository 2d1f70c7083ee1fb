// Choices is a field for several values: those that are known are offered, others can be
// typed. Arrows move in the offer, Enter or a comma takes the typed or the marked value,
// Backspace in an empty field removes the last one.
import { useId, useRef, useState } from 'preact/hooks';
import { t } from '../i18n/index.ts';
import { Icon } from './icons.tsx';

export function Choices({ label, values, offered, change, valid, typing, placeholder, disabled = false, ids = {} }: {
  label: string;
  values: string[];
  offered: string[];
  change: (values: string[]) => void;
  // valid returns why a typed value cannot be taken, or nothing.
  valid?: (value: string) => string | undefined;
  // typing tells what stands in the field and is not taken yet.
  typing?: (text: string) => void;
  placeholder?: string;
  disabled?: boolean;
  ids?: { id?: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean };
}) {
  const [typed, setTyped] = useState('');
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1); // nothing is marked before the person types or moves
  const [refused, setRefused] = useState<string | undefined>();
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const rest = offered.filter((o) => !values.includes(o) && o.toLowerCase().includes(typed.trim().toLowerCase())).slice(0, 50);
  const active = Math.min(at, rest.length - 1);
  const add = (value: string) => {
    const v = value.trim();
    if (!v) return;
    // Several values may have been pasted at once.
    const parts = valid?.(v) ? [...new Set(v.split(/[\s,;]+/).filter(Boolean))] : [v];
    const fresh = parts.filter((x) => !values.includes(x));
    const why = fresh.map((x) => valid?.(x)).find(Boolean);
    setRefused(why);
    if (why) return;
    if (fresh.length) change([...values, ...fresh]);
    setTyped('');
    typing?.('');
    setAt(-1);
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      setOpen(true);
      if (rest.length) setAt(e.key === 'ArrowDown' ? (active + 1) % rest.length : (Math.max(active, 0) - 1 + rest.length) % rest.length);
    } else if (e.key === 'Enter' || e.key === ',') {
      const marked = open ? rest[active] : undefined;
      if (!marked && !typed) return; // Enter in an empty field sends the form
      add(marked ?? typed);
    } else if (e.key === 'Escape' && open) {
      setOpen(false);
      e.stopPropagation();
    } else if (e.key === 'Backspace' && !typed && values.length) {
      change(values.slice(0, -1));
      return;
    } else {
      return;
    }
    e.preventDefault();
  };
  return (
    <div class={`choices${disabled ? ' disabled' : ''}`} onClick={() => input.current?.focus()}>
      {values.map((v) => (
        <span class="chip" key={v}>
          {v}
          {!disabled && (
            <button type="button" aria-label={t('choices.remove', { value: v })} onClick={(e) => { e.stopPropagation(); change(values.filter((x) => x !== v)); }}>
              <Icon name="cancel" width="12" height="12" />
            </button>
          )}
        </span>
      ))}
      <input
        {...ids}
        ref={input}
        value={typed}
        disabled={disabled}
        placeholder={values.length ? '' : placeholder}
        role="combobox"
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={open && rest.length > 0}
        aria-controls={list}
        aria-activedescendant={open && active >= 0 && rest.length ? `${list}-${active}` : undefined}
        autocomplete="off"
        onInput={(e) => { setTyped(e.currentTarget.value); setOpen(true); setAt(0); setRefused(undefined); typing?.(e.currentTarget.value); }}
        onFocus={() => setOpen(true)}
        onBlur={() => { setOpen(false); if (typed) add(typed); }}
        onKeyDown={onKey}
      />
      <ul id={list} role="listbox" aria-label={label} class="offers" hidden={!open || rest.length === 0}>
        {rest.map((o, i) => (
          <li key={o} id={`${list}-${i}`} role="option" aria-selected={i === active} onMouseDown={(e) => { e.preventDefault(); add(o); }}>
            {o}
          </li>
        ))}
      </ul>
      {refused && <p class="refused" role="alert">{refused}</p>}
    </div>
  );
}
