import { expect, test } from "vitest";
import { quorum, removalProblem } from "../../components/kubeadm/quorum.ts";

const members = (...health: boolean[]) => health.map((healthy, i) => ({ name: `cp${i + 1}`, healthy }));

test.each([
  [1, 1],
  [2, 2],
  [3, 2],
  [5, 3],
])("%i members agree by %i", (count, needed) => {
  expect(quorum(count)).toBe(needed);
});

test.each<[string, boolean[], string, string | undefined]>([
  ["any member of three healthy ones may go", [true, true, true], "cp1", undefined],
  ["the second last may go", [true, true], "cp2", undefined],
  ["the last may go, and the cluster with it", [true], "cp1", undefined],
  ["a dead member may go", [true, true, false], "cp3", undefined],
  [
    "a healthy member must not go beside a dead one",
    [true, true, false],
    "cp1",
    "1 of the 2 members that stay are healthy, 2 are needed; bring cp3 back, or remove it first",
  ],
  ["what has lost its quorum has none to lose", [true, false, false], "cp1", undefined],
  ["a stranger's going changes nothing", [true, false, true], "cp9", undefined],
])("%s", (_, health, leaving, problem) => {
  expect(removalProblem(members(...health), leaving)).toBe(problem);
});
