// Says its pid to who connects: server.js PORT [ADDRESS]. Ends with status 98 where the port is in use.
const server = require('net').createServer((peer) => peer.end(`${process.pid}\n`));
server.on('error', (error) => process.exit(error.code === 'EADDRINUSE' ? 98 : 1));
server.listen(Number(process.argv[2]), process.argv[3]);
