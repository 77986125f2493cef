// Takes its port from the environment, as most servers of one's own do.
const http = require("http");

const port = process.env.PORT || 3000;
http.createServer((_request, response) => response.end("node-shop\n")).listen(port);
