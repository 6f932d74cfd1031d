/** `1 job`, `2 jobs`, `0 jobs`: a number of things whose plural ends in -s. */
export const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
