// Menu is a button that opens a list of actions: arrows move, Enter chooses, Escape closes.
// The list is in the browser's top layer, so that no table or panel cuts it off.
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.tsx';

export interface Item {
  text: string;
  icon?: IconName;
  danger?: boolean;
  chosen?: boolean;
  disabled?: boolean;
  run: () => void;
}

// gap is the space between the button and the list, and between the list and the edge of
// the window, in pixels.
const gap = 4;

// placed moves the list below the button, or above it where there is no room below. start
// aligns the left edges, not the right ones.
function placed(list: HTMLElement, button: HTMLElement, up: boolean, start: boolean) {
  const b = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = list;
  const { clientWidth: innerWidth, clientHeight: innerHeight } = document.documentElement; // without scroll bars
  const below = b.bottom + gap;
  const above = b.top - gap - height;
  const top = up || below + height > innerHeight ? above : below;
  const left = start ? b.left : b.right - width;
  list.style.top = `${Math.max(gap, Math.min(top, innerHeight - height - gap))}px`;
  list.style.left = `${Math.max(gap, Math.min(left, innerWidth - width - gap))}px`;
}

export function Menu({ label, icon = 'more', text, items, up = false }: { label: string; icon?: IconName; text?: string; items: Item[]; up?: boolean }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const entries = () => [...(root.current?.querySelectorAll<HTMLButtonElement>('[role^=menuitem]:not(:disabled)') ?? [])];
  useLayoutEffect(() => {
    if (!open) return;
    list.current?.showPopover();
    placed(list.current!, button.current!, up, up);
    entries()[0]?.focus({ preventScroll: true });
  }, [open]);
  useEffect(() => {
    if (!open) return;
    const away = (e: Event) => {
      if (!(e.target instanceof Node) || !root.current?.contains(e.target)) setOpen(false);
    };
    const shut = () => setOpen(false);
    document.addEventListener('pointerdown', away);
    addEventListener('scroll', away, true);
    addEventListener('resize', shut);
    return () => {
      document.removeEventListener('pointerdown', away);
      removeEventListener('scroll', away, true);
      removeEventListener('resize', shut);
    };
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
        <div id={id} ref={list} popover="manual" class="menu-list" role="menu" aria-label={label} onKeyDown={onKey}>
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
