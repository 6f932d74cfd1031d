// Fetch a page; the exit status says whether it came.
const url = process.argv[2];
const answer = await fetch(url);
const text = await answer.text();
console.log(`${answer.status} ${text.trim()}`);
process.exit(answer.ok ? 0 : 1);
