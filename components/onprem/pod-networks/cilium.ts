import { isRouted, type Network } from "../../model/network.ts";
import {
  CILIUM_CNI,
  CILIUM_CNI_CONFIG,
  CILIUM_FOLDER,
  CILIUM_LIBRARY,
  CILIUM_SOURCES,
  ciliumAgentUnit,
  ciliumManifests,
  ciliumOperatorUnit,
} from "../../render/cilium.ts";
import { access } from "./access.ts";
import type { NodeNetwork, PodNetwork, PodNetworkArgs } from "./pod-network.ts";

/** Modes `bridge` and `overlay` with policies that take effect: Cilium carries the packets, and does kube-proxy's work. */
export function cilium(args: PodNetworkArgs): PodNetwork {
  const { mode, pods, loadBalancers } = args.network as Extract<Network, { policies: unknown }>;
  const { mtu, workers } = args;
  const translate = !isRouted(args.network);
  const settings = { pods, mtu, tunnel: mode === "overlay", translate, loadBalancers, workers };
  const operator = operatorOf(args);
  const agentAccess = access("cilium", args);
  return {
    kubeProxy: false,
    dns: true,
    cniConfig: CILIUM_CNI_CONFIG,
    manifests: ciliumManifests(settings),
    onNode: ({ host, container, controlPlane }) => {
      const also = controlPlane ? operator : { files: {}, units: {}, programs: {} };
      const files = { [`${CILIUM_FOLDER}/agent.kubeconfig`]: agentAccess, ...also.files };
      const programs = {
        "/usr/local/bin/cilium-agent": "cilium-agent",
        "/usr/lib/cni/cilium-cni": "cilium-cni",
        [CILIUM_SOURCES]: "cilium-bpf.tar.gz",
      };
      const agent = {
        content: ciliumAgentUnit(settings, { host, container }),
        enabled: true,
        running: true,
        restartOn: [`${CILIUM_FOLDER}/agent.kubeconfig`, ...Object.keys(programs)],
      };
      return {
        cni: CILIUM_CNI,
        files,
        // What the agent unpacks and compiles.
        directories: { [CILIUM_LIBRARY]: { removeContents: true } },
        units: { "cilium-agent.service": agent, ...also.units },
        programs: { ...programs, ...also.programs },
        modules: mode === "overlay" ? ["vxlan"] : [],
      };
    },
  };
}

function operatorOf(args: PodNetworkArgs): Required<Pick<NodeNetwork, "files" | "units" | "programs">> {
  const path = `${CILIUM_FOLDER}/operator.kubeconfig`;
  const program = "/usr/local/bin/cilium-operator";
  const restartOn = [path, program];
  return {
    files: { [path]: access("cilium-operator", args) },
    units: {
      "cilium-operator.service": { content: ciliumOperatorUnit, enabled: true, running: true, restartOn },
    },
    programs: { [program]: "cilium-operator" },
  };
}
