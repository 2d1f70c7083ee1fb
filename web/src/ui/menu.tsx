// Menu is a button that opens a list of actions: arrows move, Enter chooses, Escape closes.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.tsx';

export interface Item {
  text: string;
  icon?: IconName;
  danger?: boolean;
  chosen?: boolean;
  disabled?: boolean;
  run: () => void;
}

export function Menu({ label, icon = 'more', text, items, up = false }: { label: string; icon?: IconName; text?: string; items: Item[]; up?: boolean }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const entries = () => [...(root.current?.querySelectorAll<HTMLButtonElement>('[role^=menuitem]:not(:disabled)') ?? [])];
  useEffect(() => {
    if (!open) return;
    entries()[0]?.focus();
    const outside = (e: Event) => {
      if (!root.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKey = (e: KeyboardEvent) => {
    const all = entries();
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    const move = (to: number) => all[(to + all.length) % all.length]?.focus();
    switch (e.key) {
      case 'ArrowDown': move(at + 1); break;
      case 'ArrowUp': move(at - 1); break;
      case 'Home': move(0); break;
      case 'End': move(-1); break;
      case 'Escape': close(); break;
      case 'Tab': setOpen(false); return;
      default: return;
    }
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <div class="menu" ref={root}>
      <button
        ref={button}
        type="button"
        class={`button quiet${text ? '' : ' only-icon'}`}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={text ? `${label}: ${text}` : label}
        title={label}
        onClick={() => setOpen(!open)}
        onKeyDown={(e) => {
          if (!open && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
            e.preventDefault();
            setOpen(true);
          }
        }}
      >
        <Icon name={icon} />
        {text && <span>{text}</span>}
      </button>
      {open && (
        <div id={id} class={`menu-list${up ? ' up' : ''}`} role="menu" aria-label={label} onKeyDown={onKey}>
          {items.map((item) => (
            <button
              key={item.text}
              type="button"
              role={item.chosen === undefined ? 'menuitem' : 'menuitemradio'}
              {...(item.chosen === undefined ? {} : { 'aria-checked': item.chosen })}
              class={item.danger ? 'danger' : ''}
              disabled={item.disabled ?? false}
              tabIndex={-1}
              onClick={() => {
                close();
                item.run();
              }}
            >
              {item.chosen !== undefined ? <Icon name={item.chosen ? 'check' : 'dot'} class={`icon${item.chosen ? '' : ' hidden'}`} /> : item.icon && <Icon name={item.icon} />}
              {item.text}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
