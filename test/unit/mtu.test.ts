import fc from "fast-check";
import { expect, test } from "vitest";
import {
  leastLinkMtu,
  MTU_FLOOR,
  mtuInside,
  mtuProblems,
  TUNNEL_OVERHEAD,
  type Tunnel,
  tunnelsOf,
} from "../../components/model/mtu.ts";

const tunnels = fc.array(fc.constantFrom(...(Object.keys(TUNNEL_OVERHEAD) as Tunnel[])), { maxLength: 4 });

test("a pod's packet is as large as the link's, less the tunnel of its mode", () => {
  expect(mtuInside(1500, tunnelsOf("bridge"))).toBe(1500);
  expect(mtuInside(1500, tunnelsOf("overlay"))).toBe(1450);
  expect(mtuInside(9000, ["wireguard", "vxlan"])).toBe(8890);
});

test("the least link leaves the floor inside any tunnels, and nothing less is taken", () => {
  fc.assert(
    fc.property(tunnels, (inside) => {
      const least = leastLinkMtu(inside);
      expect(mtuInside(least, inside)).toBe(MTU_FLOOR);
      expect(mtuProblems("mtu", least, inside)).toEqual([]);
      expect(mtuProblems("mtu", least - 1, inside)).toHaveLength(1);
    }),
  );
});

test("tunnels in tunnels take what each of them takes, in whatever order", () => {
  fc.assert(
    fc.property(tunnels, tunnels, fc.integer({ min: 1500, max: 9000 }), (outer, inner, link) => {
      expect(mtuInside(mtuInside(link, outer), inner)).toBe(mtuInside(link, [...inner, ...outer]));
    }),
  );
});

test("an MTU that no link has is refused with the bounds", () => {
  expect(mtuProblems("site.mtu", 1300, ["vxlan"])).toEqual([
    {
      path: "site.mtu",
      found: "1300 is no MTU that serves",
      remedy: "give bytes from 1330 (a pod's 1280 inside vxlan) to 65535, such as 1500",
    },
  ]);
  for (const wrong of [0, -1, 1500.5, 70_000, Number.NaN]) {
    expect(mtuProblems("mtu", wrong), String(wrong)).toHaveLength(1);
  }
});
