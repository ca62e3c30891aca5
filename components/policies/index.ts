export { policies, servePack } from "./pack.ts";
