import { stderr } from "node:process";
import { duration } from "../../components/local/duration.ts";

/** Lines of progress with the time so far. */
export interface Progress {
  /** A lasting line. */
  line(text: string): void;
  /** The state of long work: replaces the line before on a terminal, else shown every ten seconds. */
  status(text: string): void;
  /** Ends a status line. */
  done(): void;
}

/** Progress on stderr, so that the output of a command stays what the command prints. */
export function progressOn(stream: NodeJS.WriteStream = stderr, start: number = Date.now()): Progress {
  let open = false;
  let last = 0;
  const stamp = (text: string) => `[${duration(Date.now() - start).padStart(6)}] ${text}`;
  const close = () => {
    if (open) stream.write("\n");
    open = false;
  };
  return {
    line(text) {
      close();
      stream.write(`${stamp(text)}\n`);
    },
    status(text) {
      if (stream.isTTY) {
        stream.write(`\r\x1b[K${stamp(text).slice(0, (stream.columns || 80) - 1)}`);
        open = true;
      } else if (Date.now() - last >= 10_000) {
        stream.write(`${stamp(text)}\n`);
        last = Date.now();
      }
    },
    done: close,
  };
}
