// What a mailing says, and how it is set.
import type { ComponentChildren } from 'preact';
import type { Mailing } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { Panel, Time } from '../../ui/basic.tsx';
import { audience } from '../mailings/describe.ts';

export function Text({ m }: { m: Mailing }) {
  return (
    <Panel title={t('mailing.text')} actions={<small>{t('counts.segments', { n: m.sms.segments })} · {m.sms.encoding}</small>}>
      {/* A long text scrolls, so the keyboard has to reach it. */}
      <div class="mail-text" tabIndex={m.text.length > 400 ? 0 : -1} role="group" aria-label={t('mailing.text')}>{m.text}</div>
    </Panel>
  );
}

export function Facts({ m }: { m: Mailing }) {
  return (
    <Panel title={t('mailing.facts')}>
      <dl class="facts">
        <Fact name={t('mailing.audience')}>{audience(m.filter)}</Fact>
        <Fact name={t('mailing.window')}>{m.window ? t('mailing.window.hours', { from: m.window.from, to: m.window.to }) : t('mailing.window.any')}</Fact>
        <Fact name={t('mailing.on_uncertain')}>{m.on_uncertain === 'stop' ? t('mailing.on_uncertain.stop') : t('mailing.on_uncertain.resend')}</Fact>
        <Fact name={t('mailing.created')}><Time at={m.created_at} as="brief" /></Fact>
        <Fact name={t('mailing.updated')}><Time at={m.updated_at} as="brief" /> <small>{t('mailing.version', { n: m.version })}</small></Fact>
      </dl>
    </Panel>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
