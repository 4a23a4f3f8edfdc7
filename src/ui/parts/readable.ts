/** A line's end inside a token is shown as a sign. */
export const readable = (text: string): string => text.replaceAll('\n', '⏎');
