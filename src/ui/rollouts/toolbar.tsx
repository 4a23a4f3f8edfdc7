/** How the prompts of a step are shown: the tokens' colours, which prompts, in which order. */
import { ToggleGroup } from 'radix-ui';
import { Select } from '../parts/fields.tsx';
import { text } from '../text.ts';
import { COLOURINGS, type Colouring } from './colouring.ts';
import type { RolloutsState, RolloutsView } from './controller.ts';
import { FILTERS, type Filter, ORDERS, type Order } from './selection.ts';

export function Toolbar({ view, shown }: { view: RolloutsView; shown: RolloutsState }) {
  const { colouring, filter, order, showsDifference } = shown;
  return (
    <div className="toolbar">
      <div className="field">
        <span id="colouring-label">{text.rollouts.colouring}</span>
        <ToggleGroup.Root
          className="toggle"
          type="single"
          value={colouring}
          aria-labelledby="colouring-label"
          onValueChange={(value) => value && view.set({ colouring: value as Colouring })}
        >
          {COLOURINGS.map((name) => (
            <ToggleGroup.Item key={name} value={name}>
              {text.rollouts.colourings[name].name}
            </ToggleGroup.Item>
          ))}
        </ToggleGroup.Root>
      </div>
      <Select
        label={text.rollouts.filter}
        value={filter}
        options={FILTERS.map((value) => ({ value, label: text.rollouts.filters[value] }))}
        onChange={(value) => view.set({ filter: value as Filter })}
      />
      <Select
        label={text.rollouts.order}
        value={order}
        options={ORDERS.map((value) => ({ value, label: text.rollouts.orders[value] }))}
        onChange={(value) => view.set({ order: value as Order })}
      />
      <label className="follow">
        <input
          type="checkbox"
          checked={showsDifference}
          onChange={({ target }) => view.set({ showsDifference: target.checked })}
        />
        {text.rollouts.showDifference}
      </label>
    </div>
  );
}
