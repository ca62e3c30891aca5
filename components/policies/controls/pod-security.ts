/**
 * The Pod Security Standards, baseline and restricted, as Kubernetes 1.35 enforces them at its newest level.
 * Capabilities and seccomp have a control for each level: whoever waives the restricted one keeps the baseline.
 *
 * Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and the checks in
 * k8s.io/pod-security-admission/policy.
 */
import type { Control } from "../control.ts";
import { isolation } from "./isolation.ts";
import { privileges } from "./privileges.ts";

export const podSecurity: readonly Control[] = [...privileges, ...isolation];
