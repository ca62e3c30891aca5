/** Switches off the control that the environment names, so that a test which cannot fail is found. */
import { clouds } from "../../../components/policies/controls/clouds/index.ts";
import { controls, setControls } from "../../../components/policies/controls/index.ts";
import { podSecurity } from "../../../components/policies/controls/pod-security.ts";

const name = process.env.SPILLWAY_WITHOUT_CONTROL;
// Some tests ask a family for its own.
for (const control of [...controls, ...setControls, ...clouds, ...podSecurity])
  if (control.id === name) control.find = () => [];
