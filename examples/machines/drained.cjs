// A service that is drained before it is stopped: a stop leads from `running` to `draining`, and on when its time is over or the
// service says STOPPING=1 itself. Install as /etc/sysmaster/machines/drained.cjs; see drained.service.
const DRAIN_MS = 5000;

module.exports = ({ extend, service }) => ({
  version: 1,
  machine: extend(
    service,
    ({ states }) => {
      const { running } = states;
      const stop = running.on.stop;
      running.on.stop = { target: 'draining' };
      states.draining = {
        tags: 'deactivating',
        entry: [
          { type: 'enter', params: 'deactivating' },
          { type: 'armDeadline', params: { name: 'drain', ms: DRAIN_MS } },
        ],
        exit: { type: 'disarmDeadline', params: { name: 'drain' } },
        always: running.always.filter(({ guard }) => ['hasCrashed', 'isDown', 'stopsItself'].includes(guard)),
        on: { notify: running.on.notify, deadline: { guard: 'drainIsOver', ...stop }, stop: {} },
      };
    },
    {
      guards: { drainIsOver: ({ event }) => event.name === 'drain' },
    },
  ),
});
