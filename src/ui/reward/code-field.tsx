/** The editor of reward code in React: a plain field until it is there, and where it cannot be loaded. */
import { useEffect, useId, useRef, useState } from 'react';
import type { RewardCodeProblem } from '../../worker/reward-protocol.ts';
import { text } from '../text.ts';
import type { CodeEditor } from './code-editor.ts';

/** An editor that is this late is not waited for. */
const patienceMs = 2000;
const words = text.reward.own;

export function CodeField({
  code,
  problem,
  columns,
  readOnly,
  onChange,
}: {
  code: string;
  problem: RewardCodeProblem | undefined;
  /** What the function is called with. */
  columns: readonly string[] | undefined;
  readOnly: boolean;
  onChange: (code: string) => void;
}) {
  const id = useId();
  const host = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const [editor, setEditor] = useState<CodeEditor>();
  const [isPlain, setPlain] = useState(false);
  const latest = useRef({ code, onChange });
  latest.current = { code, onChange };

  useEffect(() => {
    let opened: CodeEditor | undefined;
    let isGone = false;
    const impatience = setTimeout(() => setPlain(true), patienceMs);
    import('./code-editor.ts')
      .then(({ CodeEditor }) => {
        if (isGone || !host.current) return;
        const hadFocus = document.activeElement === field.current && field.current !== null;
        opened = new CodeEditor(host.current, {
          code: latest.current.code,
          label: words.label,
          hint: words.keys,
          placeholder: words.placeholder,
          onChange: (typed) => {
            if (typed !== latest.current.code) latest.current.onChange(typed);
          },
        });
        setEditor(opened);
        setPlain(false);
        if (hadFocus) opened.focus();
      })
      .catch(() => setPlain(true))
      .finally(() => clearTimeout(impatience));
    return () => {
      isGone = true;
      clearTimeout(impatience);
      opened?.close();
      setEditor(undefined);
    };
  }, []);

  useEffect(() => {
    if (editor) editor.code = code;
  }, [editor, code]);
  useEffect(() => {
    if (editor) editor.isReadOnly = readOnly;
  }, [editor, readOnly]);
  useEffect(() => {
    if (editor && columns) editor.argumentNames = columns;
  }, [editor, columns]);
  useEffect(() => {
    if (editor) editor.problem = problem;
  }, [editor, problem]);

  return (
    <div className="code-field">
      <div ref={host} hidden={!editor} />
      {!editor && isPlain && (
        <>
          <p className="hint" id={`${id}-hint`}>
            {words.plain}
          </p>
          <textarea
            ref={field}
            rows={12}
            aria-label={words.label}
            aria-describedby={`${id}-hint`}
            value={code}
            placeholder={words.placeholder}
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="off"
            readOnly={readOnly}
            onChange={({ target }) => onChange(target.value)}
          />
        </>
      )}
      {!editor && !isPlain && <p className="hint code-loading">{words.loading}</p>}
      {editor && <p className="hint">{words.keys}</p>}
    </div>
  );
}
