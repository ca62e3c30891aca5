import { spillway } from "./spillway.ts";

const write = (stream: NodeJS.WriteStream) => (text: string) => void stream.write(`${text}\n`);
process.exitCode = await spillway(process.argv.slice(2), write(process.stdout), write(process.stderr));
