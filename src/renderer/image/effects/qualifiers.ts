import type { Component } from '../../chain/component.js';

/** Parameters that an effect uses, so that no crop does. */
const QUALIFIERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['blur_region', ['x', 'y', 'w', 'h']],
  ['pixelate_region', ['x', 'y', 'w', 'h']],
  ['gradient_fade', ['x', 'y']],
]);

const nameOf = (effect: string): string => effect.split(':', 1)[0] ?? effect;

/** Whether an effect acts on the region of `x`, `y`, `w` and `h`. */
export const isOfRegion = (effect: string): boolean => QUALIFIERS.get(nameOf(effect))?.includes('w') ?? false;

/** A component without the parameters that its effect uses. */
export function withoutQualifiers(component: Component): Component {
  const used = QUALIFIERS.get(nameOf(component.values.get('e') ?? ''));
  if (!used) return component;
  const values = new Map([...component.values].filter(([code]) => !used.includes(code)));
  return { ...component, values };
}
