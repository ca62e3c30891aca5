/** What the command line asked for. */
export const options = {
  /** Start with empty caches. */
  cold: false,
  /** One round of each: shows that it works, its figures are worth little. */
  quick: false,
};

/** How often something is measured. */
export const rounds = (count: number): number => (options.quick ? 1 : count);
