/** Something that is made when it is first asked for: what its code weighs then costs the first visit nothing. */
export interface Lazy<T> {
  (): Promise<T>;
  /** What was made, or is being made. */
  readonly made?: Promise<T>;
}

export function lazily<T>(make: () => Promise<T>): Lazy<T> {
  const lazy: { (): Promise<T>; made?: Promise<T> } = () => {
    if (lazy.made) return lazy.made;
    const made = make();
    lazy.made = made;
    // A file that did not come may come the next time.
    made.catch(() => {
      lazy.made = undefined;
    });
    return made;
  };
  return lazy;
}
