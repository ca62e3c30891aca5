import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { messageOf } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { HostError, sudoAdvice } from "./error.ts";
import type { Link } from "./link.ts";
import { renderAttended, runDirectory } from "./script.ts";

const waitSeconds = 40;
const beatMilliseconds = 5_000;

/** Tells this process's locks from others'; also from its own, when a connection died unseen. */
const token = randomBytes(16).toString("hex");

/*
 * The lock lives as long as this channel. A beat every few seconds tells that the owner lives: TCP
 * alone would keep a vanished owner's lock for hours. Children close descriptor 9, else killing
 * the holder would not free it.
 */
const text = `
dir=${runDirectory}
was=; mark=; pid=
enter() { mkdir -p -m 0700 "$dir"; exec 9>>"$dir/lock"; }
enter
if ! flock -n 9; then
  { IFS= read -r was; IFS= read -r mark; IFS= read -r pid; } 2>/dev/null <"$dir/lock.owner" || :
  if [ "$mark" = "$TOKEN" ] && [ "$(readlink "/proc/$pid/fd/9")" = "$dir/lock" ]; then kill "$pid"; fi
  if ! flock -w "$WAIT" 9; then
    { IFS= read -r was; } 2>/dev/null <"$dir/lock.owner" || :
    printf '%s' "\${was:-someone unknown}" >&2
    exit 75
  fi
fi
# The last owner may have removed the file that was waited for.
until [ "$(stat -Lc %i /proc/self/fd/9)" = "$(stat -c %i "$dir/lock" 2>/dev/null)" ]; do
  enter
  flock -w "$WAIT" 9 || exit 75
done
printf '%s\\n%s\\n%s\\n' "$OWNER" "$TOKEN" "$$" >"$dir/lock.owner.new"
mv "$dir/lock.owner.new" "$dir/lock.owner"
exec 8>>"$dir/work"
flock -n 8 || { echo waiting; flock -w "$WORK_WAIT" 8 || exit 76; }
exec 8>&-
echo locked
while [ "$(exec 9>&-; exec timeout 30 head -c 1)" = . ]; do :; done
rm -f "$dir/lock.owner"
exec 8>>"$dir/work"
rmdir "$dir/steps" 2>/dev/null || :
# A step that is there runs, or has a result that its owner may still come back for.
if [ ! -e /var/lib/spillway ] && [ ! -e "$dir/steps" ] && flock -n 8; then
  rm -f "$dir/steps.lock" "$dir/work" "$dir/lock"
  rmdir "$dir" 2>/dev/null || :
fi
`;

/** `ops@laptop pid 4711, stack dev`. */
export function ownerText(urn: string): string {
  const stack = /^urn:pulumi:([^:]+)::/.exec(urn)?.[1] ?? "none";
  const text = `${userInfo().username}@${hostname()} pid ${process.pid}, stack ${stack}`;
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

/** Takes the host's lock, unless it is interrupted meanwhile; `released` is called when it is lost. */
export function takeLock(
  link: Link,
  command: string,
  context: Context,
  workWaitSeconds: number,
  released: () => void,
): Promise<void> {
  const step = "taking the host's lock";
  const values = {
    OWNER: ownerText(context.urn),
    TOKEN: token,
    WAIT: String(waitSeconds),
    WORK_WAIT: String(Math.ceil(workWaitSeconds)),
  };
  return new Promise((resolve, reject) => {
    let beat: NodeJS.Timeout | undefined;
    let said = "";
    let locked = false;
    const held = link.exec(
      {
        command,
        step,
        feed: (channel) => {
          channel.write(renderAttended({ text, values }));
          beat = setInterval(() => channel.write("."), beatMilliseconds).unref();
        },
        stdout: (chunk) => {
          said += chunk.toString();
          if (said.endsWith("waiting\n"))
            context.progress(`${link.host}: a script of a lost connection is still running`);
          if (!said.endsWith("locked\n")) return;
          locked = true;
          resolve();
        },
        signal: context.signal,
        // What was begun under it ends under it.
        whenStopped: () => (locked ? undefined : "interrupted while others have it; run again"),
      },
      false,
    );
    const ended = () => {
      clearInterval(beat);
      released();
    };
    held.then(
      ({ exitCode, stderr }) => {
        ended();
        reject(new HostError(link.host, step, refusal(exitCode, stderr), exitCode, stderr));
      },
      (error: unknown) => {
        ended();
        reject(error instanceof HostError ? error : new HostError(link.host, step, messageOf(error)));
      },
    );
  });
}

function refusal(exitCode: number | undefined, stderr: string): string {
  if (exitCode === 75) {
    return `locked by ${stderr.trim()} and not free within ${waitSeconds} s; wait for that run to end, or end it, and run again`;
  }
  if (exitCode === 76)
    return "a script of a lost connection is still running; wait for it to end and run again";
  return (sudoAdvice(stderr) ?? stderr.trim()) || `exit code ${exitCode}`;
}
