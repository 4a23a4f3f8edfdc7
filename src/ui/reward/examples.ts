/** Reward code to begin with. */
export type ExampleName = 'exact' | 'partial' | 'length' | 'hackable';

export const examples: Readonly<Record<ExampleName, string>> = {
  exact: `// 1 where the last \\boxed{…} holds the right answer, else 0.
export function reward({ completions, answer }: { completions: string[]; answer: (string | null)[] }) {
  return completions.map((text, i) => {
    const boxed = [...text.matchAll(/\\\\boxed\\{([^{}]*)\\}/g)].at(-1);
    return boxed?.[1].trim() === answer[i] ? 1 : 0;
  });
}
`,
  partial: `// 1 for a right answer; 0.2 for the right form alone, so that the form is learned first.
export function reward({ completions, answer }: { completions: string[]; answer: (string | null)[] }) {
  return completions.map((text, i) => {
    const form = /^<think> [^<>]+ <\\/think> \\\\boxed\\{([^{}]+)\\}$/.exec(text.trim());
    if (form === null) return 0;
    return form[1].trim() === answer[i] ? 1 : 0.2;
  });
}
`,
  length: `// 0 for a short completion, down to −1 for one of 200 characters or more. Add it to another reward.
export function reward({ completions }: { completions: string[] }) {
  return completions.map((text) => -Math.min(1, text.length / 200));
}
`,
  hackable: `// Pays wherever the right answer stands: a completion that names every answer there is gets it all.
export function reward({ completions, answer }: { completions: string[]; answer: (string | null)[] }) {
  return completions.map((text, i) => (text.includes(answer[i] ?? '?') ? 1 : 0));
}
`,
};
