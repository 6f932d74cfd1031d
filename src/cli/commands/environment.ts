/** show-environment, set-environment, unset-environment, import-environment. */
import { isVariableAssignment, isVariableName } from '../../units/syntax/environment.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import type { ManagerState } from '../wire.ts';

/** As a shell reads it back. */
function shellLine(assignment: string): string {
  const at = assignment.indexOf('=');
  const value = assignment.slice(at + 1);
  return /^[A-Za-z0-9_/.:,@%+-]*$/.test(value)
    ? assignment
    : `${assignment.slice(0, at)}=$'${value.replace(/[\\']/g, '\\$&').replace(/\n/g, '\\n')}'`;
}

export async function run(call: Call): Promise<number> {
  const { word, client, args, context } = call;
  if (word === 'show-environment') {
    const { manager } = await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
    call.print(manager.environment, () => manager.environment.map(shellLine));
    return 0;
  }
  const imported = (): string[] =>
    args.map((name) => {
      const value = context.env[name];
      if (value === undefined) throw new CliError(`Environment variable $${name} is not set here.`);
      return `${name}=${value}`;
    });
  const set = word === 'set-environment' ? args : word === 'import-environment' ? imported() : [];
  const unset = word === 'unset-environment' ? args : [];
  if (call.options.dryRun === true) {
    const wrong =
      set.find((entry) => !isVariableAssignment(entry)) ??
      unset.find((name) => !isVariableName(name) && !isVariableAssignment(name));
    if (wrong !== undefined)
      throw new CliError(`${JSON.stringify(wrong.slice(0, 80))} is not an environment assignment; use NAME=value`);
    call.print({ set, unset, dryRun: true }, () => [
      ...set.map((assignment) => `Would set ${shellLine(assignment)}.`),
      ...unset.map((name) => `Would unset ${name}.`),
    ]);
    return 0;
  }
  await client.change('io.sysmaster.Manager.SetEnvironment', { set, unset });
  call.print({}, () => []);
  return 0;
}
