// `npm start`: from a fresh clone to the stack `local` on this computer.
import process from "node:process";
import { main, runTypeScript, setUp } from "./setup.mjs";

await main(() => {
  const start = Date.now();
  refuseUnfit();
  setUp();
  return runTypeScript("start.ts", [String(start)]);
});

function refuseUnfit() {
  const elsewhere = "; to use your own machines instead, see the stack `onprem` in the README";
  if (process.platform !== "linux")
    throw new Error(`the stack local runs its hosts as systemd containers, which needs Linux and not ${process.platform}${elsewhere}`);
  if (process.getuid() !== 0)
    throw new Error(`the stack local makes network namespaces and containers, which needs root; run it as root${elsewhere}`);
}
