import { announcedPods } from "../cluster/announced.ts";

announcedPods("bgp-inside", "unenforced", { own: 64512, theirs: 64512 });
