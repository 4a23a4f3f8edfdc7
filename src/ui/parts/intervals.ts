/** Numbers with their uncertainty, as people read them. */
import type { IntervalView } from '../../worker/evaluation-protocol.ts';

const minus = (text: string) => text.replace('-', '−');
const whole = (share: number) => (100 * share).toFixed(0);

/** 0.123 → "+12.3": percentage points, always with a sign. */
export function points(difference: number): string {
  const rounded = (100 * difference).toFixed(1);
  return Number(rounded) > 0 ? `+${rounded}` : minus(rounded.replace(/^-(?=0\.0$)/, ''));
}

/** "[37, 45]" in percent. */
export const shareRange = ({ low, high }: Pick<IntervalView, 'low' | 'high'>) =>
  Number.isNaN(low) ? '' : `[${whole(low)}, ${whole(high)}]`;

/** "[−1.2, +8.0]" in percentage points. */
export const pointRange = ({ low, high }: Pick<IntervalView, 'low' | 'high'>) =>
  Number.isNaN(low) ? '' : `[${points(low)}, ${points(high)}]`;

export const leavesOutZero = ({ low, high }: Pick<IntervalView, 'low' | 'high'>) => low > 0 || high < 0;
