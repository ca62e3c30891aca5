import { expect, test } from "vitest";
import { controls, setControls } from "../../../components/policies/controls/index.ts";
import { controlIds, violationsAmong, violationsOf } from "../../../components/policies/judge.ts";
import type { Resource } from "../../../components/policies/resource.ts";
import { settingsOf } from "../../../components/policies/settings.ts";
import { DIGEST } from "./world.ts";

const record = { scanned: "2026-05-20", critical: 0, signedBy: "release", base: "debian-13" };
const given = { images: { [DIGEST]: record }, bases: ["debian-13"] };

const settings = (more: object = {}, today = "2026-06-01") =>
  settingsOf({ ...given, ...more }, { known: controlIds, today });

const pod: Resource = {
  type: "kubernetes:core/v1:Pod",
  name: "web",
  props: {
    metadata: { name: "web" },
    spec: { containers: [{ name: "c", image: `r.example.com/a@${DIGEST}` }] },
  },
};

const broken = (id: string, given = settings()) => {
  const control = controls.find((each) => each.id === id)!;
  return violationsOf(control, pod, given).map(({ message }) => message.split(". ")[0]);
};

const place = "spec.containers[0].image";
const withRecord = (more: object) => ({ images: { [DIGEST]: { ...record, ...more } } });

test.each<[string, object, string[]]>([
  ["scanned-image", {}, []],
  ["scanned-image", withRecord({ scanned: "2026-04-20" }), [`${place}: its scan is too old`]],
  ["scanned-image", { ...withRecord({ scanned: "2026-04-20" }), scanDays: 60 }, []],
  ["scanned-image", withRecord({ scanned: undefined }), [`${place}: no scan is recorded`]],
  ["scanned-image", withRecord({ critical: 2 }), [`${place}: its scan found what is critical`]],
  ["scanned-image", withRecord({ critical: "many" }), [`${place}: no scan is recorded`]],
  ["scanned-image", withRecord({ scanned: "2026-06-02" }), [`${place}: no scan is recorded`]],
  ["scanned-image", { images: {} }, [`${place}: no scan is recorded`]],
  ["scanned-image", { images: undefined }, []],
  ["signed-image", {}, []],
  ["signed-image", withRecord({ signedBy: undefined }), [`${place}: no signature is recorded`]],
  ["known-base", {}, []],
  ["known-base", withRecord({ base: "scratchpad" }), [`${place}: its base is another`]],
  ["known-base", { ...withRecord({ base: "scratchpad" }), bases: [] }, []],
])("%s with %o", (id, more, messages) => expect(broken(id, settings(more))).toEqual(messages));

const among = (id: string, resources: Resource[], given = settings()) => {
  const control = setControls.find((each) => each.id === id)!;
  return violationsAmong(control, resources, given).map(({ resource }) => resource.name);
};

test("a cluster has a verifier of signatures, in its stack or said to be elsewhere", () => {
  const cluster = { type: "spillway:onprem:KubernetesCluster", name: "home", props: {} };
  const verifier = {
    type: "kubernetes:policy.sigstore.dev/v1beta1:ClusterImagePolicy",
    name: "v",
    props: {},
  };
  expect(among("admission-verifier", [cluster])).toEqual(["home"]);
  expect(among("admission-verifier", [cluster, verifier])).toEqual([]);
  expect(
    among("admission-verifier", [cluster], settings({ admissionVerifier: "the stack security" })),
  ).toEqual([]);
  expect(among("admission-verifier", [pod])).toEqual([]);
});

test("a site without records is told so once", () => {
  expect(among("image-records", [pod, pod], settings({ images: undefined }))).toEqual(["web"]);
  expect(among("image-records", [pod])).toEqual([]);
});
