/**
 * The code editor: CodeMirror, loaded when the panel is opened. It lives in a shadow root, because there CodeMirror
 * uses style sheets that are made in JavaScript; in the document it would write style elements, which the page's
 * policy forbids.
 */
import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { javascript, typescriptLanguage } from '@codemirror/lang-javascript';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { RewardCodeProblem } from '../../worker/reward-protocol.ts';

export interface CodeEditorOptions {
  readonly code: string;
  readonly label: string;
  /** Said to those who cannot see it. */
  readonly hint: string;
  readonly placeholder: string;
  readonly onChange: (code: string) => void;
}

const colors = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--code-number)' },
  { tag: [tags.typeName, tags.className], color: 'var(--code-type)' },
  { tag: tags.comment, color: 'var(--text-soft)', fontStyle: 'italic' },
]);

const theme = EditorView.theme({
  '&': {
    color: 'var(--text)',
    backgroundColor: 'var(--page)',
    border: '1px solid var(--border)',
    borderRadius: '6px',
    fontSize: '0.8125rem',
  },
  '&.cm-focused': { outline: '3px solid var(--accent)', outlineOffset: '2px' },
  '.cm-scroller': {
    maxHeight: '32rem',
    overflow: 'auto',
    fontFamily: 'ui-monospace, monospace',
    lineHeight: '1.5',
  },
  '.cm-content, .cm-gutter': { minHeight: '12rem' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 30%, transparent)',
  },
  '.cm-gutters': {
    backgroundColor: 'var(--page)',
    borderRight: '1px solid var(--border)',
    color: 'var(--text-soft)',
  },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--grid)' },
  '.cm-placeholder': { color: 'var(--text-soft)', whiteSpace: 'pre-wrap' },
  '.cm-tooltip': {
    backgroundColor: 'var(--panel)',
    border: '1px solid var(--border)',
    color: 'var(--text)',
  },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--accent)',
    color: 'var(--on-accent)',
  },
  '.cm-matchingBracket': { backgroundColor: 'var(--changed) !important' },
  '.cm-panels': { backgroundColor: 'var(--panel)', color: 'var(--text)' },
});

/**
 * Text in place of a selection, done by the editor: the browser would carry the look of what was selected over as an
 * inline style, which the page's policy forbids.
 */
function replaceSelected(event: InputEvent, view: EditorView): boolean {
  const { data, inputType } = event;
  const { from, to, empty } = view.state.selection.main;
  if (inputType !== 'insertText' || data === null || empty || view.composing || view.state.readOnly)
    return false;
  event.preventDefault();
  const insert = () =>
    view.state.update(view.state.replaceSelection(data), { userEvent: 'input.type', scrollIntoView: true });
  // Others want to know first: a bracket goes around what is selected.
  const isDone = view.state.facet(EditorView.inputHandler).some((f) => f(view, from, to, data, insert));
  if (!isDone) view.dispatch(insert());
  return true;
}

export class CodeEditor {
  private readonly view: EditorView;
  private readonly writing = new Compartment();
  /** What the function is called with. */
  private columns: readonly string[] = ['completions', 'prompts', 'answer'];

  constructor(host: HTMLElement, options: CodeEditorOptions) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    const hint = document.createElement('p');
    hint.id = 'hint';
    hint.hidden = true;
    hint.textContent = options.hint;
    root.append(hint);
    this.view = new EditorView({
      root,
      parent: root,
      doc: options.code,
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        autocompletion(),
        javascript({ typescript: true }),
        typescriptLanguage.data.of({ autocomplete: (context: CompletionContext) => this.complete(context) }),
        syntaxHighlighting(colors),
        theme,
        placeholder(options.placeholder),
        // Escape, then Tab, leaves the editor: CodeMirror's own way out.
        keymap.of([
          ...closeBracketsKeymap,
          ...completionKeymap,
          ...lintKeymap,
          ...historyKeymap,
          ...defaultKeymap,
          indentWithTab,
        ]),
        EditorView.contentAttributes.of({
          'aria-label': options.label,
          'aria-describedby': hint.id,
          tabindex: '0',
        }),
        EditorView.domEventHandlers({ beforeinput: replaceSelected }),
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) options.onChange(state.doc.toString());
        }),
        this.writing.of([]),
      ],
    });
    // The page's own keys are not for those who write.
    this.view.dom.addEventListener('keydown', (event) => event.stopPropagation());
  }

  set code(code: string) {
    const { doc } = this.view.state;
    if (doc.toString() === code) return;
    this.view.dispatch({ changes: { from: 0, to: doc.length, insert: code } });
  }

  set isReadOnly(isReadOnly: boolean) {
    this.view.dispatch({ effects: this.writing.reconfigure(EditorState.readOnly.of(isReadOnly)) });
  }

  set argumentNames(columns: readonly string[]) {
    this.columns = columns;
  }

  /** Marks what is wrong with the code, on its line. */
  set problem(problem: RewardCodeProblem | undefined) {
    this.view.dispatch(setDiagnostics(this.view.state, problem ? [this.diagnostic(problem)] : []));
  }

  focus(): void {
    this.view.focus();
  }

  close(): void {
    const root = this.view.root as ShadowRoot;
    this.view.destroy();
    root.replaceChildren();
  }

  private diagnostic({ line, message }: RewardCodeProblem): Diagnostic {
    const { doc } = this.view.state;
    const { from, to, text } = doc.line(Math.min(Math.max(1, line ?? 1), doc.lines));
    return { from: from + (text.length - text.trimStart().length), to, severity: 'error', message };
  }

  private complete(context: CompletionContext): CompletionResult | null {
    const word = context.matchBefore(/\w+/);
    if (!word && !context.explicit) return null;
    return {
      from: word?.from ?? context.pos,
      options: this.columns.map((label) => ({ label, type: 'variable' })),
      validFor: /^\w*$/,
    };
  }
}
