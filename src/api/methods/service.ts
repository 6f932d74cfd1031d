/** org.varlink.service: what the service says of itself. */
import { interfaceNames, interfaceOf } from '../interfaces/index.ts';
import type { CallContext, Handled } from '../session.ts';

export const service = {
  GetInfo: (_: unknown, { manager }: CallContext): Handled => ({
    reply: {
      vendor: 'sysMaster',
      product: 'sysMaster',
      version: manager.manager().version,
      url: '',
      interfaces: [...interfaceNames()].sort(),
    },
  }),
  GetInterfaceDescription: ({ interface: name }: { interface: string }): Handled => {
    const found = interfaceOf(name);
    if (found === undefined) return { error: 'org.varlink.service.InterfaceNotFound', parameters: { interface: name } };
    return { reply: { description: found.text } };
  },
};
