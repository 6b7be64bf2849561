// What the pages use of Preact, for the type check alone; it is in no package and is never served.
export type Node = object | string | number | boolean | null | undefined;
export function h(type: unknown, props: unknown, ...children: unknown[]): Node;
export function render(what: Node, where: Element): void;
export const Fragment: unknown;
