/** A number with its noun. */
export const n = (count: number, one: string, many: string) =>
  `${count} ${count === 1 ? one : many}`
