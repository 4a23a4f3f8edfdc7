/** What tests of the page do again and again. */
import type { Locator, Page } from 'playwright';

export const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });
export const field = (page: Page, name: string): Locator => page.getByLabel(name, { exact: true });
export const textOf = async (element: Locator): Promise<string> => (await element.textContent()) ?? '';

/** Opens a panel by its name in the navigation. */
export async function goTo(page: Page, panel: string): Promise<void> {
  await page.getByRole('tab', { name: panel, exact: true }).click();
  await page.getByRole('tabpanel', { name: panel }).waitFor();
}

/** Waits until the line under the run's buttons says this. */
export const status = (page: Page, text: RegExp, timeout = 90_000): Promise<void> =>
  page.getByTestId('status').filter({ hasText: text }).waitFor({ timeout });

export const stepOf = async (page: Page): Promise<number> =>
  Number(/Step (\d+)/.exec(await textOf(page.getByTestId('status')))?.[1]);
