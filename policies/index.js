import { servePack } from "../dist/policies/pack.js";

servePack();
