/**
 * Reward code as the interpreter takes it: TypeScript loses its types, line by line, so that a line of an error is a
 * line of what was typed. Code without types comes back as it is, letter for letter.
 */
import type { SandboxFailure } from './protocol.ts';

/** Parses and never runs it. The parser is loaded when there is code. */
export async function plainJavaScript(
  code: string,
): Promise<{ readonly code: string } | { readonly failure: SandboxFailure }> {
  const { transform } = await import('sucrase');
  try {
    const options = { transforms: ['typescript' as const], disableESTransforms: true };
    return { code: transform(code, { ...options, keepUnusedImports: true }).code };
  } catch (error) {
    return { failure: syntaxFailure(code, error) };
  }
}

function syntaxFailure(code: string, error: unknown): SandboxFailure {
  const { message = '', loc } = error as { message?: string; loc?: { line: number; column: number } };
  const said = message.replace(/^Error transforming [^:]*: /, '').replace(/ \(\d+:\d+\)$/, '');
  // The parser counts lines beyond the end where the end is what it did not expect.
  const line = loc ? Math.min(loc.line, code.split('\n').length) : null;
  return { kind: 'load', message: `SyntaxError: ${said || 'the code cannot be read'}`, line };
}
