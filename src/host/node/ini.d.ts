/** As much of the package ini as is used; it ships no types of its own. */
declare module 'ini' {
  const ini: { parse(text: string): Record<string, unknown> };
  export default ini;
}
