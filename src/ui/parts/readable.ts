/** Byte-level tokenizers write a space as Ġ and a line's end as Ċ. */
export const readable = (text: string): string => text.replaceAll('Ġ', ' ').replaceAll(/Ċ|\n/g, '⏎');
