/** What credentials look like, by their names and by themselves. */
export { isElsewhere } from "./credentials/elsewhere.ts";
export { isCredential } from "./credentials/names.ts";
export { holdsCredential, isSecretVariable, unpacked } from "./credentials/texts.ts";
export { CREDENTIAL, isCredentialItself } from "./credentials/tokens.ts";
