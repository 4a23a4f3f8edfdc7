/** The page's address: all that differs from the page as it opens first is in it, so that a link opens the same. */
import { DEVICE_CHOICES } from '../worker/protocol.ts';
import type { Core } from './core.ts';
import { type LinkRequest, linkHash } from './link.ts';
import { isPanel } from './panels.ts';
import { initialState } from './state.ts';
import { text } from './text.ts';

export class Address {
  constructor(private readonly core: Core) {}

  /** The address that opens the experiment as it is set now. */
  now(): string {
    const { form, panel } = this.core.state;
    const usual = initialState.form;
    const differing = (key: 'preset' | 'task' | 'device') => (form[key] === usual[key] ? null : form[key]);
    const hash = linkHash({
      preset: differing('preset'),
      task: differing('task'),
      device: differing('device'),
      rewards: form.rewards.join() === usual.rewards.join() ? null : form.rewards,
      settings: form.settings,
      panel: panel === initialState.panel ? null : panel,
      code: form.code.trim() === '' ? null : form.code,
    });
    // Only the model's folder is read from the search; what else it asked for stands in the hash by now.
    const model = new URLSearchParams(location.search).get('model');
    const search = model === null ? '' : `?${new URLSearchParams({ model })}`;
    return new URL(`${location.pathname}${search}${hash}`, location.href).href;
  }

  /** No entry in the browser's history: going back leaves the page, as it should. */
  write(): void {
    const href = this.now();
    if (href !== location.href) history.replaceState(history.state, '', href);
  }

  /** What a link asks for goes into the form. Its reward code is shown, never switched on. */
  follow({ preset, task, rewards, device, panel, settings, rewardCode, problems }: LinkRequest): void {
    const { form, catalogue, warnings } = this.core.state;
    const said = [...problems];
    const isKnown = (what: 'presets' | 'tasks' | 'rewards', name: string) => {
      const found = catalogue?.[what].some((one) => one.name === name) ?? false;
      if (!found) said.push(text.session.linkUnknown(name, text.session.linkParts[what]));
      return found;
    };
    const known = (what: 'presets' | 'tasks', name: string | null) =>
      name !== null && isKnown(what, name) ? name : undefined;
    this.core.set({
      warnings: [...warnings, ...said],
      panel: isPanel(panel) ? panel : this.core.state.panel,
      form: {
        ...form,
        preset: known('presets', preset) ?? form.preset,
        task: known('tasks', task) ?? form.task,
        device: DEVICE_CHOICES.find((one) => one === device) ?? form.device,
        rewards: rewards?.filter((name) => isKnown('rewards', name)) ?? form.rewards,
        settings,
        ...(rewardCode && { code: rewardCode.code, codeIsOn: false, codeIsFromLink: true }),
      },
    });
  }
}
