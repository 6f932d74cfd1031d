// A machine plugin that goes wrong on one event, in the way that the file `how` in its directory says.
const SPENT_MAX = 1536;

const wrongs = {
  throws() {
    throw new Error('a bug in the chart');
  },
  loops() {
    for (;;);
  },
  /** The engine's own heap. */
  hoards() {
    const all = [];
    for (;;) all.push(new Array(1024).fill(all.length));
  },
  /** Memory beside the heap, which only the kernel limits; it stops where that does not, and hangs. */
  fills() {
    const all = [];
    while (all.length < SPENT_MAX) all.push(new Uint8Array(1 << 20).fill(1));
    for (;;);
  },
};

module.exports = ({ extend, service }) => ({
  machine: extend(
    service,
    ({ states }) => {
      states.running.on.reload = [{ guard: 'goesWrong' }, ...states.running.on.reload];
    },
    { guards: { goesWrong: ({ context }) => wrongs[context.settings.ExecReload[0].argv[1]]() } },
  ),
});
