/** The API of a system, asked directly: many small questions without a program for each. */
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { System } from './system.ts';

/** What a call is answered with. Rejects with the error's name and reason, or where core goes away meanwhile. */
export function ask<Answer>(system: System, method: string, parameters: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(`${system.run}/sysmaster/api.sock`);
    let text = '';
    socket.setTimeout(30_000, () => socket.destroy(new Error(`${method}: no answer`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${method}: core has gone away`)));
    socket.on('data', (bytes) => {
      text += bytes.toString('utf8');
      if (!text.endsWith('\0')) return;
      const answer = JSON.parse(text.slice(0, -1)) as { error?: string; parameters: Answer & { why?: string } };
      if (answer.error === undefined) resolve(answer.parameters);
      else reject(new Error(`${answer.error}: ${answer.parameters.why}`));
      socket.end();
    });
    socket.write(`${JSON.stringify({ method: `io.sysmaster.${method}`, parameters })}\0`);
  });
}

/** Properties of a unit, as `sctl show` names them; empty while core is away. */
export async function properties(system: System, unit: string): Promise<Readonly<Record<string, string>>> {
  try {
    const answer = await ask<{ properties: Record<string, string> }>(system, 'Units.Properties', { name: unit });
    return answer.properties;
  } catch {
    return {};
  }
}

/** As `eventually`, for a condition that has to be asked for. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
  seconds = 60,
): Promise<T> {
  const end = process.hrtime.bigint() + BigInt(seconds) * 1_000_000_000n;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (process.hrtime.bigint() > end) throw new Error(`${what}: not so within ${seconds} s`);
    await delay(50);
  }
}
