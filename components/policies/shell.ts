/** What must not stand in a command, whoever runs it. */
export { runsWhatItFetches } from "./shell/fetched.ts";
export { handsCredential } from "./shell/handed.ts";
export { disablesVerification } from "./shell/verification.ts";
export { withoutSought } from "./shell/words.ts";
