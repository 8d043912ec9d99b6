// Sends what it is told by the client of RudderStack for Node: on stdin the root address, a key, calls, whether as
// gzip, and milliseconds between the calls.

import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import Analytics from "@rudderstack/rudder-sdk-node";

const { root, key, calls, compressed, pause } = JSON.parse(await text(process.stdin));
const client = new Analytics(key, {
  dataPlaneUrl: root,
  gzip: compressed,
  flushInterval: 100,
  // Of its own accord it gives up after three, which a server that starts outlasts.
  retryCount: 20,
  // What it gives up without one of these ends the process.
  errorHandler: (error) => {
    // An answer that broke off after its head, which is not sent before the calls are on disk.
    if (error.response?.status === 200) return;
    console.error(String(error));
    process.exitCode = 1;
  },
});
// It has no end of its own that would wait for what is still on its way.
const delivered = [];
for (const [kind, message] of calls) {
  delivered.push(new Promise((resolve) => client[kind](message, resolve)));
  await setTimeout(pause);
}
await Promise.all(delivered);
