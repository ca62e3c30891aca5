import { readFileSync, writeFileSync } from "node:fs";

/*
 * Linux asks the interface that a packet came in by whether it forwards. So NAT needs it on the
 * lab's interface, which goes with the lab, and for the answers on that of the default route.
 */

const file = (name: string) => `/proc/sys/net/ipv4/conf/${name}/forwarding`;

/** Switches forwarding on for an interface. True when it was off before. */
export function switchOn(name: string): boolean {
  if (readFileSync(file(name), "utf8").trim() === "1") return false;
  writeFileSync(file(name), "1");
  return true;
}

/** Switches it off again, unless something since switched it on for the whole computer. */
export function switchOff(name: string): void {
  try {
    if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "0") writeFileSync(file(name), "0");
  } catch {
    // The interface is gone.
  }
}
