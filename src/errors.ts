/** A mistake in what the user gave us: its message says what was wrong, where, and what was expected. */
export class UserError extends Error {
  override name = 'UserError';
}
