/** SHA-256 of a text in lower-case hexadecimal digits. What makes it is loaded when the first one is wanted: a core at rest has none. */
export const sha256 = (text: string): string => process.getBuiltinModule('node:crypto').hash('sha256', text);
