/**
 * Environment variables: names, and NAME=value assignments.
 * Source: systemd.exec(5), Environment=, PassEnvironment=, UnsetEnvironment=.
 */

/** Letters, digits and underscores, not starting with a digit. */
export function isVariableName(text: string): boolean {
  return text.length <= 1024 * 1024 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

/** `NAME=value` with a good name and no control characters but tab and newline in the value. */
export function isVariableAssignment(text: string): boolean {
  const equals = text.indexOf('=');
  return (
    equals > 0 &&
    isVariableName(text.slice(0, equals)) &&
    !/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text.slice(equals + 1))
  );
}

/** The list with one more assignment; a later one of the same name takes the place of the earlier. */
export function withVariable(list: readonly string[], assignment: string): string[] {
  const name = assignment.slice(0, assignment.indexOf('=') + 1);
  return [...list.filter((known) => !known.startsWith(name)), assignment];
}
