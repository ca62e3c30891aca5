import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { exec } from "../../components/lab/control.ts";

/** What a writer saw. */
export interface Written<T> {
  /** Lines that it wrote. */
  lines: number;
  /** Seconds of its longest wait for one line. */
  pause: number;
  /** Of the work during which it wrote. */
  result: T;
}

/** Where a volume is mounted. */
export interface Mounted {
  lab: string;
  /** The host that writes. */
  writer: string;
  /** The one that reads all of it afterwards. */
  reader: string;
  /** The same on both. */
  directory: string;
}

/** Writes numbered lines, each on disk and read back before the next, until it is told to end; notes its longest wait in ms. */
const WRITER = `
rm -f /run/end; last=$(date +%s%3N); worst=0; n=0
while [ ! -e /run/end ]; do
  n=$((n + 1)); line=$(printf '%08d' "$n")
  printf '%s\\n' "$line" >>"$1/log"; sync "$1/log"
  [ "$(tail -n 1 "$1/log")" = "$line" ]
  now=$(date +%s%3N); wait=$((now - last)); last=$now
  if [ "$wait" -gt "$worst" ]; then worst=$wait; fi
  sleep 0.02
done
echo "$n $worst"
`;

/** Writes to a volume while something is done to its store, then checks every byte on another host. */
export async function underWriter<T>(mounted: Mounted, work: () => Promise<T>): Promise<Written<T>> {
  const { lab, writer, reader, directory } = mounted;
  const on = async (host: string, ...argv: string[]) => {
    const { code, stdout, stderr } = await exec(lab, host, argv);
    assert.equal(code, 0, `${host}: ${stderr}`);
    return stdout.trim();
  };
  await on(writer, "rm", "-f", `${directory}/log`);
  const writing = on(writer, "sh", "-euc", WRITER, "sh", directory);
  const ended = writing.catch((error: Error) => error);
  await sleep(1000);
  const result = await work().finally(() => on(writer, "touch", "/run/end"));
  const said = await ended;
  if (said instanceof Error) throw said;
  const [lines = 0, worst = 0] = said.split(" ").map(Number);
  const expected = Array.from({ length: lines }, (_, i) => String(i + 1).padStart(8, "0")).join("\n");
  assert.equal(await on(reader, "cat", `${directory}/log`), expected);
  assert.ok(lines > 10, `only ${lines} lines were written`);
  return { lines, pause: worst / 1000, result };
}
