import * as pulumi from "@pulumi/pulumi";
import { passwordProblems, type RoutesArgs } from "../../model/bgp.ts";
import { refuse } from "../../model/problem.ts";
import { BGP_CONFIG, BGP_UNIT, bgpUnit, birdConfig } from "../../render/bgp.ts";
import type { Way } from "./pod-network.ts";

/** Mode `underlay` by routes: the cluster's own network, whose addresses each node announces to the site's routers. */
export const routes =
  (clusterNetwork: Way): Way =>
  (args) => {
    const { bgp } = (args.network as { underlay: RoutesArgs }).underlay;
    const passwords = passwordsOf(args.cluster, bgp);
    const own = clusterNetwork(args);
    return {
      ...own,
      onNode: (node) => {
        const network = own.onNode(node);
        const { address, podRange } = node;
        const content = passwords.apply((known) => birdConfig({ address, podRange, bgp, passwords: known }));
        const unit = {
          content: bgpUnit(podRange),
          enabled: true,
          running: true,
          restartOn: [BGP_CONFIG],
          reloads: true,
        };
        return {
          ...network,
          packages: ["bird2"],
          files: { ...network.files, [BGP_CONFIG]: { content, mode: "0600" } },
          units: { ...network.units, [BGP_UNIT]: unit },
        };
      },
    };
  };

/** Secret, and looked at only here: their values may come from elsewhere. */
function passwordsOf(cluster: string, { routers }: RoutesArgs["bgp"]): pulumi.Output<(string | undefined)[]> {
  const given = pulumi.all(routers.map(({ password }) => password));
  const checked = given.apply((passwords) => {
    const problems = passwords.flatMap((password, i) =>
      passwordProblems(`network.underlay.bgp.routers[${i}].password`, password),
    );
    refuse(`KubernetesCluster "${cluster}"`, problems);
    return passwords;
  });
  return routers.some(({ password }) => password !== undefined) ? pulumi.secret(checked) : checked;
}
