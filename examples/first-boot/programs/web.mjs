// A web server on the sockets it was handed (sd_listen_fds(3)): descriptors 3, 4, … from LISTEN_FDS.
import { createServer } from 'node:http';

const count = Number(process.env.LISTEN_PID) === process.pid ? Number(process.env.LISTEN_FDS) : 0;
if (count === 0) {
  console.error('<3>web: no sockets were passed; start web.socket, not web.service by hand');
  process.exit(1);
}
let visits = 0;
const servers = Array.from({ length: count }, (_, index) => {
  const server = createServer((request, response) => {
    visits += 1;
    response.end(`hello, visitor ${visits}\n`);
    console.log(`<6>${request.method} ${request.url} (visit ${visits})`);
  });
  server.listen({ fd: 3 + index });
  return server;
});
process.on('SIGTERM', () => {
  for (const server of servers) server.close();
  process.exit(0);
});
