/** io.sysmaster.Recorder. The .varlink file beside this one is written from it by the tests. */
export const recorder = `# What core did last, step by step: for whoever has to find out why. Only for root.
interface io.sysmaster.Recorder

# The ring as it is now, masked, in the form that sctl replay reads.
method Get() -> (recording: object)
`;
