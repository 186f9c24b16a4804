/**
 * A collector that takes whatever it is sent and keeps nothing: `node sink.ts PORT`, on loopback.
 */
import { createServer } from "node:http"

createServer((request, response) => {
  request.resume().on("end", () => response.setHeader("content-type", "application/json").end("{}"))
}).listen(Number(process.argv[2]), "127.0.0.1", () => process.stdout.write("ready\n"))
