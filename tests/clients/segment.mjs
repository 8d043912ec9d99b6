// Sends what it is told by the client of Segment for Node: on stdin the root address, a key, calls, and milliseconds
// between them. It has no gzip.

import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { Analytics } from "@segment/analytics-node";

const { root, key, calls, pause } = JSON.parse(await text(process.stdin));
const client = new Analytics({ writeKey: key, host: root, flushInterval: 100 });
client.on("error", ({ code, reason }) => {
  console.error(`${code}: ${reason}`);
  process.exitCode = 1;
});
for (const [kind, message] of calls) {
  client[kind](message);
  await setTimeout(pause);
}
await client.closeAndFlush();
