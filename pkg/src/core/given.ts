/** Picks the named fields of an object that are defined. */
export function given<T, K extends keyof T>(from: T, ...names: K[]): { [P in K]?: Exclude<T[P], undefined> } {
  return Object.fromEntries(names.map((name) => [name, from[name]]).filter(([, value]) => value !== undefined)) as {
    [P in K]?: Exclude<T[P], undefined>;
  };
}
