// Has its port written in it, and cannot be told another.
const http = require("http");

http.createServer((_request, response) => response.end("node-shop\n")).listen(3000);
