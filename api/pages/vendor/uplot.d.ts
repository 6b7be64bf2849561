// What the pages use of uPlot, for the type check alone.
export default class uPlot {
  constructor(options: object, data: readonly (readonly (number | null)[])[], where: HTMLElement);
  setData(data: readonly (readonly (number | null)[])[]): void;
  destroy(): void;
  static paths: { stepped(options: { align: 1 | -1 }): unknown };
}
