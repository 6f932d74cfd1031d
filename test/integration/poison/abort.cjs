// Preloaded into core by a test: where the addon is asked to seal the exec spec of /bin/poison it aborts instead.
const { dlopen } = process;
process.dlopen = (module, ...more) => {
  dlopen(module, ...more);
  const { sealSpec } = module.exports;
  if (sealSpec === undefined) return;
  module.exports = {
    ...module.exports,
    sealSpec: (text) => (text.includes('"/bin/poison"') ? process.abort() : sealSpec(text)),
  };
};
