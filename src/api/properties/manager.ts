/** Properties of the manager, under systemd's names (org.freedesktop.systemd1(5), "Manager Object"). */
import type { ManagerView } from '../manager.ts';
import { type Properties, quoted, stamps } from './text.ts';

/** What `show` without a unit prints. */
export function managerProperties(view: ManagerView): Properties {
  const properties: Properties = {
    Version: view.version,
    SystemState: view.state,
    Virtualization: view.virtualization,
    Architecture: view.architecture,
    Tainted: view.tainted.join(':'),
  };
  stamps(properties, 'UserspaceTimestamp', view.stamps.userspace);
  stamps(properties, 'InitRDTimestamp', undefined);
  stamps(properties, 'GeneratorsStartTimestamp', view.stamps.core);
  stamps(properties, 'UnitsLoadFinishTimestamp', view.stamps.unitsLoaded);
  stamps(properties, 'FinishTimestamp', view.stamps.finish);
  return {
    ...properties,
    NNames: String(view.units),
    NFailedUnits: String(view.failed),
    NJobs: String(view.jobs),
    Environment: quoted(view.environment),
    UnitPath: quoted(view.unitPath),
    ControlGroup: view.controlGroup,
    DefaultTarget: view.defaultTarget,
    LogDirectory: view.logDirectory,
    Role: view.role,
    CorePID: String(view.pid),
    Epoch: String(view.epoch),
    SafeMode: view.safeMode ? 'yes' : 'no',
    CoreDeaths: String(view.deaths.length),
    CheckpointFault: view.checkpointFault,
  };
}
