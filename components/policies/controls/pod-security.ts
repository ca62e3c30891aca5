/**
 * The Pod Security Standards, baseline and restricted, as Kubernetes 1.35 enforces them at its newest level.
 * Where the restricted level is the stricter of two checks of one thing, there is one control, the restricted.
 *
 * Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and the checks in
 * k8s.io/pod-security-admission/policy.
 */
import type { Control } from "../control.ts";
import { isolation } from "./isolation.ts";
import { privileges } from "./privileges.ts";

export const podSecurity: readonly Control[] = [...privileges, ...isolation];
