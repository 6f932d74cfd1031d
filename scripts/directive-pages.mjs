// Writes docs/reference/directives.md from the table of directives: node scripts/directive-pages.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DIRECTIVES } from '../src/units/directives.ts';

const root = join(fileURLToPath(import.meta.url), '..', '..');
const page = join(root, 'docs/reference/directives.md');

/** Unit files that were counted, of 90 Debian packages. */
const FILES = 428;

const STATUS = {
  honoured: 'honoured',
  accepted: 'accepted without effect',
  unsupported: 'not supported',
};

const INTRODUCTION = `# Directives

Every setting of every section that systemd 252 knows, and newer ones, with how far it is honoured here. This page is
written from the table that core itself reads units with: \`node scripts/directive-pages.mjs\`.

- **honoured**: it has the effect its manual page says.
- **accepted without effect**: harmless to have; nothing needs to be done for it here.
- **not supported**: known and checked; a unit that uses it runs without it and gets a note with file and line
  (\`sctl findings\`, \`sctl analyze verify\`, \`sctl convert --report DIRECTORY\`).

*Since* is the version of systemd that brought a setting, as far as that was noted. *Used* says in how many of ${FILES}
unit files of 90 Debian packages it stands. An empty default is an empty list or text, or a setting that is not made.
`;

/** How often real units use a setting, by `Section.Key`. */
function frequencies() {
  const lines = readFileSync(join(root, 'scripts/directive-frequency.tsv'), 'utf8').trim().split('\n').slice(1);
  return new Map(
    lines.map((line) => line.split('\t')).map(([section, key, files]) => [`${section}.${key}`, Number(files)]),
  );
}

const cell = (text) => text.replaceAll('|', '\\|');

/** Rows that are the same in several sections stand once, with those sections. */
function grouped() {
  const groups = new Map();
  for (const row of DIRECTIVES) {
    const id = JSON.stringify([row.key, row.form, row.status, row.renamedTo ?? '']);
    const group = groups.get(id) ?? { ...plain(row), sections: [] };
    group.sections.push(row.section);
    groups.set(id, group);
  }
  return [...groups.values()];
}

/** Own fields and what is looked up. */
function plain({ section, key, form, status, renamedTo, since, default: standard }) {
  return { section, key, form, status, renamedTo, since, standard };
}

function table(rows, used) {
  const lines = ['| Setting | Value | Default | Since | Status | Used |', '|---|---|---|---|---|---|'];
  for (const row of rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    const count = row.sections.reduce((sum, section) => sum + (used.get(`${section}.${row.key}`) ?? 0), 0);
    const status =
      row.renamedTo === undefined ? STATUS[row.status] : `${STATUS[row.status]}; old name of ${row.renamedTo}=`;
    lines.push(
      `| ${row.key}= | ${cell(row.form)} | ${cell(row.standard)} | ${row.since === 0 ? '' : row.since} | ${status} | ${count === 0 ? '' : count} |`,
    );
  }
  return lines;
}

/** The whole page. */
export function directivePage() {
  const used = frequencies();
  const rows = grouped();
  const sections = [...new Set(DIRECTIVES.map(({ section }) => section))];
  const shared = Map.groupBy(
    rows.filter((row) => row.sections.length > 1),
    (row) => row.sections.join(', '),
  );
  const total = (status) => DIRECTIVES.filter((row) => row.status === status).length;
  const lines = [
    INTRODUCTION,
    `Of ${DIRECTIVES.length} settings in ${sections.length} sections ${total('honoured')} are honoured, ${total('accepted')} accepted without effect and ${total('unsupported')} not supported.`,
  ];
  for (const section of sections) {
    const own = rows.filter((row) => row.sections.length === 1 && row.section === section);
    if (own.length > 0) lines.push('', `## [${section}]`, '', ...table(own, used));
  }
  for (const [names, group] of shared)
    lines.push(
      '',
      `## ${names
        .split(', ')
        .map((name) => `[${name}]`)
        .join(', ')}`,
      '',
      ...table(group, used),
    );
  return `${lines.join('\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    if (readFileSync(page, 'utf8') !== directivePage()) {
      console.error('docs/reference/directives.md is not up to date: node scripts/directive-pages.mjs');
      process.exitCode = 1;
    }
  } else writeFileSync(page, directivePage());
}
