/** Addresses that a user types: only those of the page's own origin are loaded. */
import { UserError } from '../errors.ts';

/** `text` as an address seen from `base`. Throws UserError where it is none, or of another origin. */
export function sameOriginUrl(text: string, base: string | URL): URL {
  const page = new URL(base);
  let url: URL;
  try {
    url = new URL(text.trim(), page);
  } catch {
    throw new UserError(`"${text.slice(0, 200)}" is no address; expected a path such as models/papo-nano/.`);
  }
  if (url.origin !== page.origin || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UserError(
      `${url.href.slice(0, 200)} lies outside ${page.origin}: files are loaded from the page's own origin alone. ` +
        'Download it and drop it here instead.',
    );
  }
  if (url.username || url.password) throw new UserError('The address holds a user name or a password.');
  return url;
}
