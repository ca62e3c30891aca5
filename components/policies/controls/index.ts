import type { Control } from "../control.ts";
import { images } from "./images.ts";
import { podSecurity } from "./pod-security.ts";
import { workloads } from "./workloads.ts";

/** Every control of the pack. */
export const controls: readonly Control[] = [...podSecurity, ...images, ...workloads];
