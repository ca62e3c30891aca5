import { createHash } from "node:crypto";
import { HostError } from "./error.ts";
import { environment, renderBody, runDirectory, type Script } from "./script.ts";

/** Long work under a unit of its own, which outlives the connection. */
export interface Step extends Script {
  /** Unique on the host among steps: `[a-z0-9-]{1,50}`; the unit is `spillway-NAME`. */
  name: string;
}

export const stepsDirectory = `${runDirectory}/steps`;

/*
 * Runs in the unit. Secrets go as soon as the work has ended; the result stays until it is taken.
 * TERM is survived so that a stopped unit still leaves its exit code.
 */
const runner = `
${environment}
umask 077
dir=$1
exec </dev/null >"$dir/out" 2>"$dir/err"
trap : HUP INT TERM
timeout -k 10 "$2" /bin/sh "$dir/SCRIPT"; code=$?
rm -rf "$dir/secret" "$dir/SCRIPT"
echo "$code" >"$dir/code.new"
mv "$dir/code.new" "$dir/code"
`;

/*
 * Starts the unit, or attaches to the one that a lost connection or an earlier run left, and waits.
 * FIRST is `yes` for a call's first try: only then a failure left behind by another call is run anew.
 */
const starter = `
dir=${stepsDirectory}/$NAME
unit=spillway-$NAME.service
mkdir -p -m 0700 ${runDirectory}
exec 7>>${runDirectory}/steps.lock
running() {
  case $(systemctl show -p ActiveState --value "$unit") in inactive|failed) return 1 ;; esac
}
ours() { [ "$(cat "$dir/digest" 2>/dev/null)" = "$DIGEST" ]; }
waited=0
while :; do
  flock 7
  # Asked before looking for the exit code: a unit that has ended has written it.
  if running; then alive=yes; else alive=no; fi
  if ours && [ -e "$dir/code" ]; then
    if [ "$FIRST" = no ] || [ "$(cat "$dir/code")" = 0 ]; then break; fi
  fi
  if [ "$alive" = no ]; then
    if [ "$FIRST" = no ] && ours && [ -e "$dir/started" ] && [ ! -e "$dir/code" ]; then rm -rf "$dir"; exit 78; fi
    rm -rf "$dir"
    mkdir -p -m 0700 ${stepsDirectory}
    mkdir -m 0700 "$dir" "$dir/secret"
    ( umask 077; printf %s "$DIGEST" >"$dir/digest"; cp "\${SCRIPT%/*}"/* "$dir/secret/" )
    mv "$dir/secret/SCRIPT" "$dir/secret/RUNNER" "$dir/"
    systemctl reset-failed "$unit" 2>/dev/null || :
    # With cgroup v1 systemd may miss that a killed unit is empty, and waits this long for it.
    systemd-run --quiet --collect --unit="$unit" -p TimeoutStopSec=5 --description="Spillway step $NAME" \\
      /bin/sh "$dir/RUNNER" "$dir" "$LIMIT" 7>&- >&2
    : >"$dir/started"
    break
  fi
  if ours && [ ! -e "$dir/code" ]; then break; fi
  flock -u 7
  waited=$((waited + 1))
  if [ "$waited" -gt "$LIMIT" ]; then exit 77; fi
  if [ "$waited" = 1 ]; then echo "waiting for an earlier run of this step with other content" >&2; fi
  sleep 1
done
exec 7>&-
rm -rf "\${SCRIPT%/*}"
: >>"$dir/err"
tail -n +1 --pid=$$ -f "$dir/err" >&2 & tail=$!
turns=0
while [ ! -e "$dir/code" ]; do
  sleep 0.2
  turns=$(((turns + 1) % 25))
  if [ "$turns" = 0 ] && ! running && [ ! -e "$dir/code" ]; then
    kill "$tail"; rm -rf "$dir"; exit 78
  fi
done
kill "$tail" 2>/dev/null || :
cat "$dir/code"
tail -c 4096 "$dir/err" | base64 -w 0
echo
cat "$dir/out"
`;

const remover = `
dir=${stepsDirectory}/$NAME
exec 7>>${runDirectory}/steps.lock
flock 7
if [ "$(cat "$dir/digest" 2>/dev/null)" = "$DIGEST" ] && [ -e "$dir/code" ]; then rm -rf "$dir"; fi
rmdir ${stepsDirectory} 2>/dev/null || :
`;

/** Shell text by which another step does away with one: it is ended if it still runs, and its result dropped. */
export const END_STEP = `
end_step() {
  systemctl stop "spillway-$1.service" 2>/dev/null || :
  rm -rf "${stepsDirectory}/$1"
}
`;

export interface StepScripts {
  start(first: boolean): Script;
  /** Run once the result was taken. */
  remove: Script;
}

export function stepScripts(step: Step, timeoutSeconds: number): StepScripts {
  const { name, text, values = {}, files = {}, secretFiles = {} } = step;
  if (!/^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/.test(name)) {
    throw new Error(`step name ${JSON.stringify(name)}: use 1 to 50 of a-z, 0-9 and - (not at the ends)`);
  }
  const all = { ...files, ...secretFiles };
  if ("RUNNER" in all || "SCRIPT" in all) {
    throw new Error(`step ${name}: no file may be named RUNNER or SCRIPT`);
  }
  const body = renderBody({ text, values, secretFiles: all }, `${stepsDirectory}/${name}/secret`);
  // The time limit is no part of the content: a longer one still attaches.
  const content = JSON.stringify([text, Object.entries(values).sort(), Object.entries(all).sort()]);
  const digest = createHash("sha256").update(content).digest("hex");
  const limit = Math.ceil(timeoutSeconds);
  return {
    start: (first) => ({
      name,
      text: starter,
      values: { NAME: name, DIGEST: digest, FIRST: first ? "yes" : "no", LIMIT: String(limit) },
      secretFiles: { ...all, SCRIPT: body, RUNNER: runner },
      timeoutSeconds: limit * 2 + 60,
    }),
    remove: { name, text: remover, values: { NAME: name, DIGEST: digest }, timeoutSeconds: 60 },
  };
}

export interface StepResult {
  exitCode: number;
  stderr: string;
  stdout: string;
}

/** Reads what the starter prints: exit code, end of stderr in base64, stdout. */
export function parseStepResult(answer: Buffer): StepResult {
  const first = answer.indexOf(0x0a);
  const second = answer.indexOf(0x0a, first + 1);
  return {
    exitCode: Number(answer.subarray(0, first).toString("latin1")),
    stderr: Buffer.from(answer.subarray(first + 1, second).toString("latin1"), "base64").toString("utf8"),
    stdout: answer.subarray(second + 1).toString("utf8"),
  };
}

/** What an exit code of the starter itself means. */
export function stepRefusal(
  host: string,
  name: string,
  exitCode: number | undefined,
  stderr: string,
): HostError {
  const meaning: Record<number, string> = {
    77: `unit spillway-${name} still runs with other content; wait for it (systemctl status spillway-${name}) and run again`,
    78: `unit spillway-${name} ended without a result, so it was killed; run again`,
  };
  const reason = meaning[exitCode ?? 0] ?? `exit code ${exitCode}: ${stderr.trim()}`;
  return new HostError(host, name, reason, exitCode, stderr);
}
