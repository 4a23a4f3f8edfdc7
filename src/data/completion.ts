// The form of a completion: `<think> what is seen and what follows </think> \boxed{answer}`.

export function completionText(thought: string, answer: string): string {
  return `<think> ${thought} </think> \\boxed{${answer}}`;
}

/** The two parts of a completion, or null where it has another form. */
export function parseCompletion(text: string): { thought: string; answer: string } | null {
  const match = /^<think> ([^<>\\{}]+) <\/think> \\boxed\{([^<>\\{}]+)\}$/.exec(text.trim());
  return match && { thought: match[1], answer: match[2] };
}

/** What stands in the last `\boxed{…}`, or null; any text may surround it. */
export function boxedAnswer(text: string): string | null {
  const matches = [...text.matchAll(/\\boxed\{([^{}]*)\}/g)];
  return matches.length === 0 ? null : matches[matches.length - 1][1].trim();
}
