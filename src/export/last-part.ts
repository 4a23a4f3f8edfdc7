/** The last part of a path or an address: what a folder is called. */
export const lastPart = (path: string) => path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
