export * from "../onprem/index.ts";
export { boot, cutSsh, exec, type LabState, list, powerCut, purge, restoreSsh, stop } from "./control.ts";
// In the place of the on-premises one.
export { Site, type SiteArgs } from "./site.ts";
