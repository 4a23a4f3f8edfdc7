/** Copies that are meant to happen all at once, put in an order in which none destroys what another still reads. */

export interface Move<T> {
  readonly from: T;
  readonly to: T;
}

/** `moves` have distinct targets. A cycle is broken by way of a `temporary` like the place that it saves. */
export function orderCopies<T>(moves: readonly Move<T>[], temporary: (like: T) => T): Move<T>[] {
  let open = moves.filter(({ from, to }) => from !== to);
  const ordered: Move<T>[] = [];
  while (open.length) {
    const ready = open.filter(({ to }, i) => !open.some(({ from }, j) => j !== i && from === to));
    if (ready.length) {
      ordered.push(...ready);
      open = open.filter((move) => !ready.includes(move));
    } else {
      const saved = open[0].to;
      const twin = temporary(saved);
      ordered.push({ from: saved, to: twin });
      open = open.map((move) => (move.from === saved ? { from: twin, to: move.to } : move));
    }
  }
  return ordered;
}
