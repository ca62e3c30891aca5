import { announcedPods } from "./announced.ts";

announcedPods("bgp", "enforced", { own: 64513, theirs: 64512, password: "a shared word" });
