/**
 * Comparing versions, and the operators of conditions.
 * Source: UAPI group, "Version Format Specification"; systemd.unit(5), ConditionKernelVersion=, ConditionOSRelease=.
 */
import { matchesGlob } from './glob.ts';

const isDigit = (char: string | undefined) => char !== undefined && char >= '0' && char <= '9';
const isLetter = (char: string | undefined) =>
  char !== undefined && ((char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z'));
const counts = (char: string | undefined) =>
  isDigit(char) || isLetter(char) || (char !== undefined && '~-^.'.includes(char));

/** Negative: `left` is the older one; 0: the same; positive: the newer one. */
export function compareVersions(left: string, right: string): number {
  let a = 0;
  let b = 0;
  for (;;) {
    while (a < left.length && !counts(left[a])) a += 1;
    while (b < right.length && !counts(right[b])) b += 1;
    // A tilde is before everything, even before the end; then the other separators, in the order of the specification.
    for (const mark of ['~', '', '-', '^', '.'] as const) {
      if (mark === '') {
        if (a >= left.length || b >= right.length) return Number(a < left.length) - Number(b < right.length);
        continue;
      }
      const inLeft = left[a] === mark;
      const inRight = right[b] === mark;
      if (inLeft !== inRight) return inLeft ? -1 : 1;
      if (inLeft) {
        a += 1;
        b += 1;
      }
    }
    const part = isDigit(left[a]) || isDigit(right[b]) ? isDigit : isLetter;
    const startA = a;
    const startB = b;
    while (part(left[a])) a += 1;
    while (part(right[b])) b += 1;
    const textA = left.slice(startA, a);
    const textB = right.slice(startB, b);
    if (part === isDigit) {
      const numberA = textA.replace(/^0+/, '');
      const numberB = textB.replace(/^0+/, '');
      if (textA === '' || textB === '') {
        if (textA !== textB) return textA === '' ? -1 : 1;
      }
      if (numberA.length !== numberB.length) return numberA.length - numberB.length;
      if (numberA !== numberB) return numberA < numberB ? -1 : 1;
    } else {
      if (textA !== textB) return textA < textB ? -1 : 1;
    }
    if (a >= left.length && b >= right.length) return 0;
  }
}

export type Operator = '$=' | '!$=' | '==' | '<>' | '=' | '!=' | '<=' | '>=' | '<' | '>';
const OPERATORS: readonly Operator[] = ['!$=', '$=', '==', '<>', '!=', '<=', '>=', '=', '<', '>'];

/** The operator a text starts with, and the rest without leading white space. */
export function takeOperator(text: string): { readonly operator: Operator | undefined; readonly rest: string } {
  const trimmed = text.trimStart();
  const operator = OPERATORS.find((each) => trimmed.startsWith(each));
  return { operator, rest: operator === undefined ? trimmed : trimmed.slice(operator.length).trimStart() };
}

/** `=` and `!=` compare strings, `$=` and `!$=` patterns, the others versions. */
export function holds(actual: string, operator: Operator, wanted: string): boolean {
  switch (operator) {
    case '=':
      return actual === wanted;
    case '!=':
      return actual !== wanted;
    case '$=':
      return matchesGlob(wanted, actual);
    case '!$=':
      return !matchesGlob(wanted, actual);
    default: {
      const order = compareVersions(actual, wanted);
      return operator === '<'
        ? order < 0
        : operator === '<='
          ? order <= 0
          : operator === '>'
            ? order > 0
            : operator === '>='
              ? order >= 0
              : operator === '=='
                ? order === 0
                : order !== 0;
    }
  }
}

/** Numbers by an operator; `=` and `!=` as well. Patterns are no operators for numbers: undefined. */
export function holdsNumber(actual: number, operator: Operator, wanted: number): boolean | undefined {
  switch (operator) {
    case '<':
      return actual < wanted;
    case '<=':
      return actual <= wanted;
    case '=':
    case '==':
      return actual === wanted;
    case '!=':
    case '<>':
      return actual !== wanted;
    case '>=':
      return actual >= wanted;
    case '>':
      return actual > wanted;
    default:
      return undefined;
  }
}
