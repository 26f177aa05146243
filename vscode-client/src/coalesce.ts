/**
 * The same action, but never twice at once: while one run is under way, any number of calls
 * make one more run after it, and all of them wait for that one.
 */
export function coalesce(action: () => Promise<void>): () => Promise<void> {
  let current = Promise.resolve();
  let next: Promise<void> | undefined;

  return () => {
    next ??= current
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        current = action();
        return current;
      });
    return next;
  };
}
